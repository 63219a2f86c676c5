import type { CalleeTemplates, SetAnswer } from '../../api/templates.ts'
import { CinchError } from '../../model/errors.ts'
import type { PinWord } from '../../model/template.ts'
import { userName } from '../author.ts'
import { type Command, table, toJson } from '../command.ts'
import { printable } from '../printable.ts'

/** What a word is kept as. */
const KINDS: Record<string, PinWord['kind']> = { split: 'split', merge: 'merge', lift: 'none' }

/** Changes that are printed; all that are kept are in the JSON. */
const CHANGES_LISTED_MAX = 10

export const operationsCommand: Command = {
  name: 'operations',
  usage: '[CALLEE | split|merge|lift CALLEE PATH --why TEXT [--method M] [--by NAME]]',
  summary:
    'the operations that were learned of paths: versions, what each covers and widens; split and merge them by hand',
  options: {
    why: { type: 'string', value: 'TEXT', help: 'why it is split or merged; kept with it' },
    by: { type: 'string', value: 'NAME', help: 'who says so (default: your user name)' },
    method: { type: 'string', value: 'M', help: 'for this method only (default: all)' },
  },
  run: async ({ args, backend, print }) => {
    const [first, ...rest] = args.positionals
    const kind = first === undefined || !Object.hasOwn(KINDS, first) ? undefined : KINDS[first]
    if (kind === undefined && rest.length > 0)
      throw new CinchError('usage', `'${args.positionals.join(' ')}' is not understood`, 'see cinch operations --help')
    const word = kind && { ...position(rest), kind, method: args.text('method') ?? '', ...author(args) }
    const { templates } = await backend()
    if (first === undefined) {
      const callees = await templates.list()
      print(args.flag('json') ? toJson({ callees }) : listText(callees))
      return 0
    }
    const answer = word ? await templates.pin(word) : await templates.ofCallee(first)
    print(args.flag('json') ? toJson(answer) : calleeText(answer))
    return 0
  },
}

function position([callee, at, ...more]: string[]): { callee: string; at: string } {
  if (!callee || !at || more.length > 0)
    throw new CinchError(
      'usage',
      'a callee and a path are needed',
      "cinch operations split shop/users /users/me --why 'the own account'",
    )
  return { callee, at }
}

function author(args: { text(name: string): string | undefined }): { who: string; why: string } {
  const why = args.text('why')
  if (!why) throw new CinchError('usage', 'no --why is given', 'say why: it is kept beside the operations')
  const who = args.text('by') ?? userName()
  if (!who) throw new CinchError('usage', 'who says so is not known', 'give --by NAME')
  return { who, why }
}

function listText(callees: readonly SetAnswer[]): string {
  if (callees.length === 0)
    return 'nothing was learned yet: operations are learned at the end of cinch ingest, and by cinch serve'
  return table(
    ['callee', 'version', 'operations', 'paths', 'pins', 'without an operation', 'learned'],
    callees.map((set) => [
      set.callee,
      String(set.version),
      set.templates,
      set.paths,
      set.pins,
      folded(set),
      set.learned,
    ]),
  )
}

/** Paths that stay as they are, and why. */
function folded({ rare_paths, full_paths, untaught_paths, left_out_paths }: SetAnswer): string {
  const reasons: [number, string][] = [
    [rare_paths, 'with too few requests'],
    [full_paths, 'with no place left'],
    [untaught_paths, 'that teach nothing'],
    [left_out_paths, 'not looked at'],
  ]
  const told = reasons.filter(([paths]) => paths > 0).map(([paths, why]) => `${paths.toLocaleString('en')} ${why}`)
  return told.join(', ') || '-'
}

function calleeText({ set, templates, pins, changes }: CalleeTemplates): string {
  return [
    `${printable(set.callee)}, version ${set.version}, learned ${set.learned} from ${set.paths.toLocaleString('en')} paths`,
    `paths without an operation: ${folded(set)}`,
    table(
      ['method', 'path', 'version', 'paths', 'requests', 'callers', 'lets in beyond them', 'first seen'],
      templates.map((one) => [
        [one.method, one.operation].filter((part) => part !== '').join(' '),
        one.path,
        String(one.version),
        one.paths,
        one.requests,
        one.callers.length,
        widening(one),
        one.first_seen.slice(0, 19),
      ]),
    ),
    ...templates
      .filter(({ istio }) => istio !== '')
      .map(({ id, istio }) => `${printable(id)}: Istio: ${printable(istio)}`),
    ...pins.map(
      ({ kind, at, method, who, why, said }) =>
        `${kind} ${printable([method, at].filter((part) => part !== '').join(' '))} by ${printable(who)}, ${said}: ${printable(why)}`,
    ),
    ...changes
      .slice(0, CHANGES_LISTED_MAX)
      .map(
        ({ version, change, id, from }) =>
          `version ${version}: ${change} ${printable(id)}${from.length > 0 ? `, ${change === 'gone' ? 'now' : 'before'} ${printable(from.join(', '))}` : ''}`,
      ),
  ].join('\n')
}

function widening({ open, combinations, unseen }: CalleeTemplates['templates'][number]): string {
  if (!open) return 'nothing'
  return `${combinations.toLocaleString('en')} combinations, any new value (${Math.round(unseen * 100)} % of requests)`
}
