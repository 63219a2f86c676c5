import type { AppliedTuning, Assessment, CheckResult, RequirementResult, Verdict } from '../../model/check.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, table, toJson } from '../command.ts'
import { inMarkdown } from '../markdown.ts'
import { type Options, WINDOW } from '../options.ts'
import { oscalOf } from '../oscal.ts'
import { printable } from '../printable.ts'

const FORMATS = ['text', 'json', 'markdown', 'oscal']

const SCOPE: Options = {
  cluster: { type: 'string', value: 'NAME', help: 'only what reporters of this cluster tell' },
  namespace: {
    type: 'string',
    value: 'NAME',
    help: 'only requests to this namespace, and what leaves the platform from it',
  },
  owner: { type: 'string', value: 'NAME', help: 'only workloads of this owner, as the inventory declares it' },
}

export const checkCommand: Command = {
  name: 'check',
  usage: '[--requirement ID] [--format json|markdown|oscal] [--namespace NAME] [--since T] [--until T]',
  summary: 'requirements of NIST SP 800-207, 800-207A and 800-204: the verdict on each; exit 1 when one is not met',
  options: {
    requirement: { type: 'string', short: 'r', value: 'ID', help: 'this one only, with all that shows it' },
    format: {
      type: 'string',
      value: 'FORMAT',
      help: `${FORMATS.join(', ')} (default: text); oscal: NIST’s assessment results`,
    },
    ...SCOPE,
    ...WINDOW,
  },
  run: async ({ args, backend, print }) => {
    const format = args.flag('json') ? 'json' : (args.text('format') ?? 'text')
    if (!FORMATS.includes(format))
      throw new CinchError('bad_option', `--format ${format} is none`, `give one of ${FORMATS.join(', ')}`)
    const requirement = args.text('requirement')
    const answer = await (await backend()).checks({
      since: args.text('since'),
      until: args.text('until'),
      requirement,
      ...{ cluster: args.text('cluster'), namespace: args.text('namespace'), owner: args.text('owner') },
    })
    if (format === 'json') print(toJson(answer))
    else if (format === 'oscal') print(toJson(oscalOf(answer, new Date())))
    else print(format === 'markdown' ? markdown(answer) : text(answer, requirement !== undefined))
    return answer.requirements.some(({ verdict }) => verdict === 'not_met') ? 1 : 0
  },
}

const VERDICTS: Record<Verdict, string> = {
  not_met: 'not met',
  not_enough_data: 'not enough data',
  not_observable: 'not observable',
  attested: 'attested',
  met: 'met',
}

/** What is to be done first; within one verdict as the documents have it. */
function ordered(requirements: readonly RequirementResult[]): RequirementResult[] {
  const rank = Object.keys(VERDICTS)
  return requirements.toSorted((a, b) => rank.indexOf(a.verdict) - rank.indexOf(b.verdict))
}

function heading({ window, requirements }: Assessment): string {
  const counts = Object.entries(VERDICTS).map(
    ([verdict, name]) => `${requirements.filter((one) => one.verdict === verdict).length} ${name}`,
  )
  return `${window.since} to ${window.until}: ${counts.join(', ')}`
}

function text(answer: Assessment, isDetailed: boolean): string {
  const rows = ordered(answer.requirements).map(({ id, verdict, why }) => [id, VERDICTS[verdict], why])
  const shown = isDetailed ? answer.checks : answer.checks.filter(({ verdict }) => verdict === 'not_met')
  const over = answer.requirements.flatMap(({ id, attestation }) =>
    attestation?.expired ? [expiry(id, attestation)] : [],
  )
  return [heading(answer), table(['requirement', 'verdict', 'why'], rows), ...over, ...shown.map(details)].join('\n')
}

const expiry = (id: string, { owner, until }: { owner: string; until: string }) =>
  `${id}: that ${printable(owner)} answers for it ended ${until}, and counts no more`

function details({ id, title, verdict, why, evidence, tuned, blind, fix }: CheckResult): string {
  const { samples, left_out } = evidence
  return [
    `\n${id}: ${title}`,
    `  ${VERDICTS[verdict]}: ${why}`,
    ...samples.map((sample) => `    ${printable(sample)}`),
    ...(left_out > 0 ? [`    and ${left_out.toLocaleString('en')} more`] : []),
    ...tuned.map((one) => `    left out: ${printable(leftOut(one))}`),
    `  does not see: ${blind}`,
    ...(verdict === 'met' ? [] : [`  to do: ${fix}`]),
  ].join('\n')
}

/** What people said of a subject that the check was wrong about. */
const leftOut = ({ subject, left_out, tolerated, who, why, finding }: AppliedTuning) =>
  `${subject}: ${left_out.toLocaleString('en')}, up to ${(tolerated * 100).toPrecision(3)} %, for ${who} said: ${why} (finding ${finding.slice(0, 12)})`

function markdown(answer: Assessment): string {
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`
  const requirements = ordered(answer.requirements).map(({ id, document, asks, verdict, why, sp800_53, cisa }) =>
    row([id, document, asks, VERDICTS[verdict], why, sp800_53.join(', '), cisa].map(inMarkdown)),
  )
  const checks = answer.checks.map(
    ({ id, title, verdict, evidence: { counts, samples, queries, left_out }, tuned, blind }) => {
      const more = left_out > 0 ? [`and ${left_out} more`] : []
      const excused = tuned.map((one) => inMarkdown(`left out: ${leftOut(one)}`))
      const listed = [...samples.map(inMarkdown), ...more, ...excused].join('<br>')
      const sums = `${counts.met} met, ${counts.unmet} not met, ${counts.untold} untold; read: ${queries.join(', ')}`
      return row([id, inMarkdown(title), VERDICTS[verdict], sums, listed, inMarkdown(blind)])
    },
  )
  return [
    '# Requirements\n',
    `${heading(answer)}\n`,
    row(['Requirement', 'Document', 'Asks', 'Verdict', 'Why', 'SP 800-53', 'CISA']),
    row(Array.from({ length: 7 }, () => '---')),
    ...requirements,
    '\n## Checks\n',
    row(['Check', 'Holds when met', 'Verdict', 'Evidence', 'Samples', 'Does not see']),
    row(Array.from({ length: 6 }, () => '---')),
    ...checks,
  ].join('\n')
}
