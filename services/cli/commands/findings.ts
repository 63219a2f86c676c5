import type { AskedFindings } from '../../api/findings.ts'
import { type AskedAct, actOf } from '../../api/routes/findings.ts'
import { CinchError } from '../../model/errors.ts'
import { FINDING_STATES, type Finding, type FindingListing, type FindingWord } from '../../model/finding.ts'
import { authorOf, WHY } from '../author.ts'
import { type Command, table, toJson } from '../command.ts'
import type { Arguments } from '../options.ts'
import { printable } from '../printable.ts'

/** Of an id, as people type it. */
const ID_SHOWN = 12

export const findingsCommand: Command = {
  name: 'findings',
  usage: '[--state open] [--since T] [--check ID]',
  summary: 'what checks found in the last day and before, and what people said of it; exit 1 when one is open',
  options: {
    state: { type: 'string', value: 'STATE', help: `${FINDING_STATES.join(', ')} or all (default: open)` },
    since: { type: 'string', value: 'T', help: 'seen since then: ISO 8601, or a span back from now such as 24h' },
    check: { type: 'string', value: 'ID', help: 'of this check only' },
  },
  run: async ({ args, backend, print }) => {
    const asked = { state: stateOf(args.text('state')), since: args.text('since'), check: args.text('check') }
    const listing = await (await backend()).findings.list(asked)
    print(args.flag('json') ? toJson(listing) : textOf(listing, asked.state ?? 'open'))
    return listing.findings.some(({ state }) => state === 'open') ? 1 : 0
  },
}

export const findingCommand: Command = {
  name: 'findings show',
  usage: 'ID',
  summary: 'one finding: its evidence, what is not seen, what to do, and who said what',
  options: {},
  run: async ({ args, backend, print }) => {
    const story = await (await backend()).findings.show(idOf(args, 'show'))
    print(args.flag('json') ? toJson(story) : [details(story.finding), wordsOf(story.words)].join('\n\n'))
    return 0
  },
}

/** What people say of a finding: each is a command of its own. */
export const findingActs: Command[] = [
  act('acknowledge', 'somebody looks at it'),
  {
    ...act('accept', 'its owner bears it until a day; then it is open again'),
    usage: 'ID --owner NAME --until T --why TEXT',
    options: {
      ...WHY,
      owner: { type: 'string', value: 'NAME', help: 'who bears it' },
      until: { type: 'string', value: 'T', help: 'until when, ISO 8601; a year at most' },
    },
  },
  act('false', 'it is none: so much of it at this subject counts no more in its check, until it is reopened'),
  act('reopen', 'takes back what was said'),
]

function act(name: AskedAct['act'], summary: string): Command {
  return {
    name: `findings ${name}`,
    usage: 'ID --why TEXT',
    summary: `of a finding: ${summary}`,
    options: WHY,
    run: async ({ args, backend, print }) => {
      const asked = actOf({ act: name, owner: args.text('owner'), until: args.text('until') })
      const finding = await (await backend()).findings.act(idOf(args, name), asked, authorOf(args))
      print(args.flag('json') ? toJson(finding) : details(finding))
      return 0
    },
  }
}

function idOf(args: Arguments, command: string): string {
  const [id, ...more] = args.positionals
  if (id !== undefined && more.length === 0) return id
  throw new CinchError(
    'usage',
    'give the id of one finding',
    `cinch findings ${command} 1f2e3d4c…, as cinch findings lists them`,
  )
}

function stateOf(text: string | undefined): AskedFindings['state'] {
  if (text === undefined || text === 'all') return text
  const state = FINDING_STATES.find((one) => one === text)
  if (state) return state
  throw new CinchError('bad_option', `--state ${text} is none`, `give one of ${FINDING_STATES.join(', ')}, all`)
}

function textOf({ window, findings, groups, left_out }: FindingListing, state: string): string {
  const looked = window ? `looked at ${window.since} to ${window.until}` : 'nobody looked yet'
  const which = state === 'all' ? '' : `${state} `
  const heading = `${looked}: ${(findings.length + left_out).toLocaleString('en')} ${which}findings in ${groups.length.toLocaleString('en')} groups`
  if (findings.length === 0) return heading
  const rows = findings.map((one) => [
    ...[one.id.slice(0, ID_SHOWN), one.severity, one.state, one.check, one.subject],
    ...[one.title, one.first_seen.slice(0, 16), one.last_seen.slice(0, 16)],
  ])
  return [
    heading,
    table(['id', 'severity', 'state', 'check', 'subject', 'what', 'first seen', 'last seen'], rows),
    ...(left_out > 0 ? [`${left_out.toLocaleString('en')} are not listed: ask for one check with --check`] : []),
  ].join('\n')
}

function details(finding: Finding): string {
  const { id, check, subject, severity, title, evidence, blind, fix, first_seen, last_seen, share } = finding
  const { met, unmet, untold } = evidence.counts
  return [
    `${id} ${check}: ${printable(subject)}`,
    `  ${severity}, ${printable(saidOf(finding))}`,
    `  ${printable(title)}`,
    `  seen ${first_seen} to ${last_seen}; last ${met} met, ${unmet} not met, ${untold} untold (${(share * 100).toPrecision(3)} %)`,
    `  read: ${evidence.queries.join(', ')} of ${evidence.parameters.since} to ${evidence.parameters.until}`,
    ...evidence.samples.map((sample) => `    ${printable(sample)}`),
    `  does not see: ${blind}`,
    `  to do: ${fix}`,
  ].join('\n')
}

const saidOf = ({ state, who, why, until, owner }: FindingWord) =>
  `${state}${until === '' ? '' : ` until ${until} by ${owner}`}: ${why}${who === '' ? '' : ` (${who})`}`

const wordsOf = (words: readonly FindingWord[]) =>
  words.map((word) => `${word.at} ${printable(saidOf(word))}`).join('\n')
