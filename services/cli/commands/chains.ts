import type { Place, RootReport } from '../../analyzer/chains/report.ts'
import type { ChainsAnswer } from '../../api/chains.ts'
import { type Command, table, toJson } from '../command.ts'
import { WINDOW } from '../options.ts'
import { printable } from '../printable.ts'

/** Shapes and breaks that are printed for each root operation; all of them are in the JSON. */
const LISTED_MAX = 3

export const chainsCommand: Command = {
  name: 'chains',
  usage: '[--since T] [--until T] [--root TEXT]',
  summary: 'requests of users with the calls that complete them: shapes, share complete, where they break and why',
  options: {
    ...WINDOW,
    root: { type: 'string', value: 'TEXT', help: "part of the root operation, 'namespace/workload METHOD /path'" },
  },
  run: async ({ args, backend, print }) => {
    const asked = { since: args.text('since'), until: args.text('until'), root: args.text('root') }
    const answer = await (await backend()).chains(asked)
    print(args.flag('json') ? toJson(answer) : text(answer))
    return 0
  },
}

function text({
  window,
  chains,
  complete,
  roots,
  context_lost,
  left_out,
  weight,
  not_looked_at,
}: ChainsAnswer): string {
  if (chains === 0) return 'no chains: they are found in spans, and in access logs that carry a traceparent'
  const folded = roots.reduce((sum, root) => sum + root.folded, 0)
  return [
    `${window.since} to ${window.until}: ${chains.toLocaleString('en')} chains, ${share(complete / chains)} complete`,
    table(
      ['root operation', 'chains', 'complete', 'shapes', 'asynchronous', 'widest'],
      roots.map((root) => [
        nameOf(root),
        root.chains,
        share(root.complete / root.chains),
        root.shapes.length + root.shapes_left_out,
        root.asynchronous,
        root.fan_out,
      ]),
    ),
    ...roots.flatMap(details),
    ...context_lost.map(
      ({ service, calls }) =>
        `context lost at ${printable(service)}: none of ${calls.toLocaleString('en')} calls to it led on, though it is known to call others`,
    ),
    ...(weight > 1
      ? [
          `estimated: of minutes with too many to look at all, one of up to ${weight.toLocaleString('en')} was looked at`,
        ]
      : []),
    ...(folded > 0
      ? [
          `${folded.toLocaleString('en')} complete chains are counted without their shape: more shapes were told than are kept`,
        ]
      : []),
    ...(not_looked_at > 0 ? [`${not_looked_at.toLocaleString('en')} spans and lines were not looked at yet`] : []),
    ...(left_out > 0
      ? [`${left_out.toLocaleString('en')} chains are not listed: narrow the window, or give --root`]
      : []),
  ].join('\n')
}

const nameOf = ({ callee, method, path }: RootReport) =>
  callee === '' ? '(unknown)' : printable([callee, method, path].filter((part) => part !== '').join(' '))

const share = (value: number) => `${(Math.floor(value * 1000) / 10).toFixed(1)} %`

function details(root: RootReport): string[] {
  const shapes = root.shapes
    .slice(0, LISTED_MAX)
    .map(
      (shape) =>
        `  ${share(shape.share)} end in ${shape.calls} calls (shape ${shape.id}${shape.is_new ? ', new in this window' : ''}), for example ${shape.samples[0]}`,
    )
  const told = [...root.breaks.slice(0, LISTED_MAX), ...root.users_lost.slice(0, LISTED_MAX)].map(placeText)
  return [`\n${nameOf(root)}`, ...shapes, ...told]
}

function placeText({ kind, caller, callee, operation, chains, why, samples }: Place): string {
  const where = [caller && `from ${caller}`, callee && `at ${callee}`, operation]
    .filter((part) => part !== '')
    .join(' ')
  return `  ${kind} ${printable(where)} in ${chains.toLocaleString('en')} chains: ${why}; for example ${samples[0]}`
}
