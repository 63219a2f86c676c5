import { readFileSync } from 'node:fs'
import { readDeclarations } from '../../../policy-gen/declared/read.ts'
import type { Declaration } from '../../model/declaration.ts'
import { CinchError } from '../../model/errors.ts'
import { authorOf, WHY } from '../author.ts'
import { type Command, table, toJson } from '../command.ts'

export const declareCommand: Command = {
  name: 'policies declare',
  usage: 'FILE --why TEXT | lift ID --why TEXT',
  summary: 'permissions that no window shows: failover, recovery, break-glass; with owner, reason and expiry',
  options: WHY,
  run: async ({ args, backend, print }) => {
    const [first, id, ...more] = args.positionals
    const lifts = first === 'lift' && id !== undefined
    if (first === undefined || more.length > 0 || (id !== undefined && !lifts))
      throw new CinchError(
        'usage',
        'give one file of declared permissions',
        "cinch policies declare FILE --why 'yearly failover test'",
      )
    const by = authorOf(args)
    const { lifecycle } = await backend()
    if (lifts) {
      await lifecycle.lift(id, by)
      print(args.flag('json') ? toJson({ lifted: id }) : `${id} is declared no more`)
      return 0
    }
    const declared = await lifecycle.declare(readDeclarations(contentOf(first), first), by)
    print(args.flag('json') ? toJson({ declared }) : tableOf(declared))
    return 0
  },
}

export const declaredCommand: Command = {
  name: 'policies declared',
  usage: '',
  summary: 'permissions that owners declare; exit 1 when one has expired and is still there',
  options: {},
  run: async ({ args, backend, print }) => {
    const { active, expired } = await (await backend()).lifecycle.declarations()
    const text = [
      active.length > 0 ? tableOf(active) : 'nothing is declared',
      ...(expired.length > 0
        ? [`\nexpired, and not granted any more (cinch policies declare lift ID):\n${tableOf(expired)}`]
        : []),
    ]
    print(args.flag('json') ? toJson({ active, expired }) : text.join('\n'))
    return expired.length > 0 ? 1 : 0
  },
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? cause.code : String(cause)
    throw new CinchError('bad_file', `cannot read ${path}: ${why}`, 'give a file that exists and that you may read', {
      cause,
    })
  }
}

function tableOf(declarations: readonly Declaration[]): string {
  return table(
    ['id', 'kind', 'caller', 'callee', 'port', 'method', 'path', 'owner', 'expires', 'reason'],
    declarations.map((one) => [
      ...[one.id, one.kind, one.caller, one.callee, one.port === 0 ? 'any' : String(one.port)],
      ...[one.method || 'any', one.path || 'any', one.owner, one.expires.slice(0, 16), one.reason],
    ]),
  )
}
