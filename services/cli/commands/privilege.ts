import type { Privilege } from '../../../policy-gen/least-privilege.ts'
import { type Command, table, toJson } from '../command.ts'
import { GENERATE, generateOptions } from './policies.ts'

export const privilegeCommand: Command = {
  name: 'policies privilege',
  usage: '[options]',
  summary:
    'how much more than was observed or declared policies allow, by granularity, and against one rule for each callee',
  options: Object.fromEntries(Object.entries(GENERATE).filter(([name]) => name !== 'granularity')),
  run: async ({ args, backend, print }) => {
    const { granularity: _, ...options } = generateOptions(args)
    const result = await (await backend()).privilege(options)
    print(args.flag('json') ? toJson(result) : describe(result))
    return 0
  },
}

function describe({ target, pairs, left_out, observed, declared, by, union }: Privilege): string {
  const rows = [...by.map((one) => ({ name: one.granularity, ...one })), { name: 'one rule for each callee', ...union }]
  return [
    `${target}: ${observed} pairs of a caller and an operation were observed, ${declared} declared, of ${pairs.toLocaleString('en')} that there could be`,
    table(
      ['granularity', 'allowed', 'beyond', 'times what is needed'],
      rows.map(({ name, allowed, beyond }) => [
        name,
        allowed,
        beyond,
        (allowed / Math.max(1, allowed - beyond)).toFixed(2),
      ]),
    ),
    ...(left_out > 0 ? [`${left_out.toLocaleString('en')} pairs were not looked at`] : []),
  ].join('\n')
}
