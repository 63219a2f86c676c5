import type { DraftAnswer, PersonAction, PersonStep } from '../../api/lifecycle/lifecycle.ts'
import { CinchError } from '../../model/errors.ts'
import type { DraftLife } from '../../model/lifecycle.ts'
import { authorOf, WHY } from '../author.ts'
import { type Command, table, toJson } from '../command.ts'
import type { Arguments, Options } from '../options.ts'
import { GENERATE, generateOptions, policiesIn } from './policies.ts'

const TARGET: Options = { target: { type: 'string', value: 'ID', help: 'policy target (default istio)' } }
const DIGEST: Options = {
  digest: { type: 'string', value: 'D', help: "the beginning of the draft's digest (default: the newest draft)" },
}

export const proposeCommand: Command = {
  name: 'policies propose',
  usage: '[CALLEE…] --why TEXT [options]',
  summary: 'generate policies, and make a draft of each callee’s that is not there yet',
  options: { ...GENERATE, ...WHY },
  run: async ({ args, backend, print }) => {
    const callees = args.positionals.length > 0 ? args.positionals : undefined
    const result = await (await backend()).propose(generateOptions(args), authorOf(args), callees)
    const lines = result.proposed.map(({ callee, digest }) => `${callee} ${digest.slice(0, 12)}`)
    print(
      args.flag('json')
        ? toJson(result)
        : [`${result.proposed.length} drafts are new, ${result.unchanged} say what they said`, ...lines].join('\n'),
    )
    return 0
  },
}

export const draftsCommand: Command = {
  name: 'policies drafts',
  usage: '',
  summary: 'drafts of policies: where each is in its life, whose word it waits for, what replay said',
  options: { all: { type: 'boolean', help: 'also those that were withdrawn' } },
  run: async ({ args, backend, print }) => {
    const drafts = await (await backend()).lifecycle.drafts()
    const shown = drafts.filter(({ state }) => args.flag('all') || state !== 'withdrawn')
    print(args.flag('json') ? toJson({ drafts: shown }) : tableOf(shown))
    return 0
  },
}

export const draftCommand: Command = {
  name: 'policies show',
  usage: 'CALLEE [--digest D] [--target ID]',
  summary: 'what a draft says: its files, with their evidence, as they would be deployed',
  options: { ...TARGET, ...DIGEST },
  run: async ({ args, backend, print }) => {
    const draft = await (await backend()).lifecycle.draft(askedDraft(args, 'show'))
    print(args.flag('json') ? toJson(draft) : describe(draft))
    return 0
  },
}

/** Each step of a person is a command of its own. */
export const stepCommands: Command[] = [
  stepCommand('submit', 'submit', 'give a draft to its owners for review'),
  stepCommand('return', 'return', 'give a draft back from review, to be changed'),
  {
    ...stepCommand(
      'approve',
      'approve',
      'approve a draft by its digest, for its owner; any change of it needs another approval',
    ),
    options: {
      ...TARGET,
      ...DIGEST,
      ...WHY,
      as: { type: 'string', value: 'OWNER', help: 'the owner for whom, as the inventory declares it' },
      acknowledge: {
        type: 'string',
        value: 'N',
        help: 'how many operations that would be denied were looked at: all must be',
      },
      unowned: { type: 'boolean', help: 'where nobody is declared as the owner' },
    },
  },
  stepCommand('promote', 'promote', 'let a draft go to its next stage: dry run, then enforced; inside a change window'),
  stepCommand('withdraw', 'withdraw', 'take a draft back; one that is deployed is then to be removed'),
  stepCommand(
    'roll-back',
    'roll_back',
    'take a deployed draft back, and enforce what was approved and enforced before it',
  ),
]

function stepCommand(name: string, action: PersonAction, summary: string): Command {
  return {
    name: `policies ${name}`,
    usage: 'CALLEE --why TEXT [options]',
    summary,
    options: { ...TARGET, ...DIGEST, ...WHY },
    run: async ({ args, backend, print }) => {
      const { lifecycle } = await backend()
      const asked = askedDraft(args, name)
      const by = authorOf(args)
      const step = action === 'promote' ? await nextStage(lifecycle, asked) : stepOf(action, args)
      const draft = await lifecycle.step(asked, step, by)
      print(args.flag('json') ? toJson(draft) : tableOf([draft]))
      return 0
    },
  }
}

type Life = Awaited<ReturnType<Parameters<Command['run']>[0]['backend']>>['lifecycle']
type Asked = ReturnType<typeof askedDraft>

function stepOf(action: Exclude<PersonAction, 'promote'>, args: Arguments): PersonStep {
  if (action !== 'approve') return { action }
  const acknowledged = args.text('acknowledge') ?? '0'
  if (!/^\d{1,9}$/.test(acknowledged))
    throw new CinchError(
      'bad_option',
      `--acknowledge '${acknowledged}' is no number`,
      'give how many operations were looked at',
    )
  return { action, as: args.text('as') ?? '', acknowledged: Number(acknowledged), unowned: args.flag('unowned') }
}

/** Refused steps say why; here it is only which one comes next. */
async function nextStage(lifecycle: Life, asked: Asked): Promise<PersonStep> {
  const { state, target } = await lifecycle.draft(asked)
  const { targetById } = await import('../../../policy-gen/targets/index.ts')
  const to = state === 'approved' && targetById(target).dryRun ? 'dry_run' : 'enforced'
  return { action: 'promote', to }
}

function askedDraft(args: Arguments, command: string) {
  const [callee, ...more] = args.positionals
  if (callee && more.length === 0) return { callee, target: args.text('target'), digest: args.text('digest') }
  throw new CinchError(
    'usage',
    'give one callee',
    `cinch policies ${command} east/shop/orders; see cinch policies drafts`,
  )
}

export const readBackCommand: Command = {
  name: 'policies read-back',
  usage: 'DEPLOYED_DIR --why TEXT [--target ID]',
  summary: 'hold what is deployed against what was approved; exit 1 when something else is there',
  options: { ...TARGET, ...WHY },
  run: async ({ args, backend, print }) => {
    const files = policiesIn(args, 'policies read-back')
    const result = await (await backend()).lifecycle.readBack(files, args.text('target') ?? 'istio', authorOf(args))
    const { confirmed, partial, refused, foreign } = result
    const text = [
      `${confirmed.length} are now where they were promoted to`,
      ...confirmed.map(({ callee, stage }) => `  ${callee}: ${stage}`),
      ...partial.map(({ callee }) => `in part only, or changed: ${callee}`),
      ...refused.map(({ callee, stage, why }) => `${stage}, and should not be: ${callee}: ${why}`),
      ...foreign.map((name) => `of no draft: ${name}`),
    ]
    print(args.flag('json') ? toJson(result) : text.join('\n'))
    return partial.length + refused.length > 0 ? 1 : 0
  },
}

export const windowsCommand: Command = {
  name: 'policies windows',
  usage: "['Mon-Thu 09:00-16:00'… | always] [--why TEXT]",
  summary: 'when promotions may happen (UTC)',
  options: WHY,
  run: async ({ args, backend, print }) => {
    const { lifecycle } = await backend()
    const given = args.positionals
    if (given.length > 0) await lifecycle.changeWindows(given[0] === 'always' ? [] : given, authorOf(args))
    const windows = await lifecycle.windows()
    print(args.flag('json') ? toJson({ windows }) : windows.join('\n') || 'always')
    return 0
  },
}

function tableOf(drafts: readonly DraftLife[]): string {
  if (drafts.length === 0) return 'there are no drafts: cinch policies propose'
  return table(
    ['callee', 'digest', 'state', 'owner', 'approved as', 'would deny', 'by', 'why'],
    drafts.map((draft) => [
      draft.callee,
      draft.digest.slice(0, 12),
      `${draft.state}${draft.stale ? ', stale' : ''}${draft.wanted ? `, to be ${draft.wanted}` : ''}`,
      draft.owners.join(', ') || 'nobody',
      draft.approvals.map(({ as }) => as).join(', ') || '-',
      draft.predicted.newly_denied,
      draft.who,
      draft.why,
    ]),
  )
}

function describe(draft: DraftAnswer): string {
  return [tableOf([draft]), ...draft.files.map(({ path, content }) => `\n--- ${path}\n${content.trimEnd()}`)].join('\n')
}
