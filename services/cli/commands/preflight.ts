import type { Preflight } from '../../model/preflight.ts'
import { type Command, table, toJson } from '../command.ts'
import { WINDOW } from '../options.ts'
import { policiesIn } from './policies.ts'

export const preflightCommand: Command = {
  name: 'policies preflight',
  usage: 'DIR [--since T] [--until T]',
  summary: 'what would break on enforcement and no traffic shows; exit 1 when there is any',
  options: WINDOW,
  run: async ({ args, backend, print }) => {
    const files = policiesIn(args, 'policies preflight')
    const window = { since: args.text('since'), until: args.text('until') }
    const result = await (await backend()).preflight(files, window)
    print(args.flag('json') ? toJson(result) : describe(result))
    return result.findings.length > 0 ? 1 : 0
  },
}

function describe({ looked_for, findings }: Preflight): string {
  const found = new Set(findings.map(({ trap }) => trap))
  const silent = looked_for.filter(({ trap }) => !found.has(trap)).map(({ title }) => `  ${title}`)
  const rows = findings.map(({ harm, object, requests, what, fix }) => [harm, object, requests, what, fix])
  return [
    `${findings.length} found`,
    ...(rows.length > 0 ? [table(['harm', 'object', 'requests', 'what', 'what to do'], rows)] : []),
    ...(silent.length > 0 ? ['', 'looked for, and not found:', ...silent] : []),
  ].join('\n')
}
