import type { AdviceAnswer } from '../../api/lifecycle/advise.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, table, toJson } from '../command.ts'
import type { Options } from '../options.ts'
import { checkOut, writeFiles } from '../policy-files.ts'

const TARGET: Options = { target: { type: 'string', value: 'ID', help: 'policy target (default istio)' } }

export const deliverCommand: Command = {
  name: 'policies deliver',
  usage: '--out DIR [--target ID]',
  summary: 'write the files of all that was promoted, each in its stage, for a Git repository that the cluster pulls',
  options: {
    ...TARGET,
    out: {
      type: 'string',
      short: 'o',
      value: 'DIR',
      help: 'directory for the files; an earlier delivery there is replaced',
    },
  },
  run: async ({ args, backend, print }) => {
    const out = args.text('out')
    if (!out) throw new CinchError('usage', 'no --out is given', 'give a directory for the files')
    checkOut(out)
    const files = await (await backend()).lifecycle.deliver(args.text('target') ?? 'istio')
    writeFiles(out, files)
    const next = `next: commit them; when the cluster has them, cinch policies read-back DIR`
    print(
      args.flag('json')
        ? toJson({ out, files: files.map(({ path }) => path) })
        : `${files.length} files in ${out}\n${next}`,
    )
    return 0
  },
}

export const adviceCommand: Command = {
  name: 'policies advice',
  usage: '[--target ID]',
  summary:
    'what measured denials propose: promotions, rollbacks; and what to promote first. Exit 1 when something is to be taken back',
  options: TARGET,
  run: async ({ args, backend, print }) => {
    const answer = await (await backend()).advice(args.text('target') ?? 'istio')
    print(args.flag('json') ? toJson(answer) : describe(answer))
    return answer.deployed.some(({ action }) => action === 'withdraw' || action === 'roll_back') ? 1 : 0
  },
}

function describe({ deployed, order }: AdviceAnswer): string {
  const measured = deployed.map((one) => [
    one.action,
    one.callee,
    one.requests,
    one.denied,
    one.expected,
    one.unknown,
    one.why,
  ])
  const next = order.map((one) => [one.callee, one.digest.slice(0, 12), one.would_deny, one.requests])
  return [
    measured.length > 0
      ? table(['do', 'callee', 'requests', 'denied', 'predicted', 'denied, never served', 'why'], measured)
      : 'nothing is deployed',
    ...(next.length > 0
      ? [`\nto promote, the least risky first:\n${table(['callee', 'digest', 'would deny', 'requests'], next)}`]
      : []),
  ].join('\n')
}
