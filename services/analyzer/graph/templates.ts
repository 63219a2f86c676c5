import { PATH_FLAGS, type PathFlag } from '../../model/operation.ts'
import type { OperationRow } from '../../store/queries/rollups.ts'
import { learnTemplates } from '../operations/learn.ts'
import type { SeenPath } from '../operations/rows.ts'
import type { Call } from './calls.ts'

/** A caller that used fewer different paths of a template keeps them as they are: one path is no wish for all. */
const PATHS_MIN = 3

/**
 * Paths that say nothing of the paths of a callee (reported routes, texts that cannot be told from a template), or that no
 * template of any target matches as it matches the path itself.
 */
const UNTAUGHT: PathFlag[] = ['route', 'braces', 'dot_segment', 'double_slash', 'unusual']
const UNTAUGHT_BITS = UNTAUGHT.reduce((bits, flag) => bits | (1 << PATH_FLAGS.indexOf(flag)), 0)
const UNTAUGHT_CHARACTERS = /[*[\]]/

/** The calls with their paths as templates, learned for each callee from these calls. Paths without a template stay as they are. */
export function withTemplates(calls: readonly Call<OperationRow>[]): Call<OperationRow>[] {
  return [...Map.groupBy(calls, (call) => call.destination.id).values()].flatMap(ofCallee)
}

const isTaught = ({ row }: Call<OperationRow>) =>
  row.protocol !== 'grpc' && (row.path_flags & UNTAUGHT_BITS) === 0 && !UNTAUGHT_CHARACTERS.test(row.shape)

function ofCallee(calls: readonly Call<OperationRow>[]): Call<OperationRow>[] {
  const { templateOf } = learnTemplates(seenPaths(calls.filter(isTaught)))
  const templates = new Map(
    calls.filter(isTaught).map((call) => [call, templateOf({ method: call.row.method, path: call.row.shape })]),
  )
  const shapes = new Map<string, Set<string>>()
  const keyOf = (call: Call<OperationRow>) => JSON.stringify([call.source.id, templates.get(call)?.id])
  for (const call of templates.keys()) {
    if (call.row.requests === 0) continue
    const known = shapes.get(keyOf(call)) ?? new Set()
    shapes.set(keyOf(call), known.add(call.row.shape))
  }
  return calls.map((call) => {
    const template = templates.get(call)
    if (!template || (shapes.get(keyOf(call))?.size ?? 0) < PATHS_MIN) return call
    return { ...call, row: { ...call.row, shape: template.path } }
  })
}

function seenPaths(calls: readonly Call<OperationRow>[]): SeenPath[] {
  const seen = new Map<string, SeenPath & { callers: string[] }>()
  for (const { row, source } of calls) {
    const key = `${row.method} ${row.shape}`
    const known = seen.get(key)
    if (!known) seen.set(key, { method: row.method, path: row.shape, requests: row.requests, callers: [source.id] })
    else {
      known.requests += row.requests
      if (row.requests > 0 && !known.callers.includes(source.id)) known.callers.push(source.id)
    }
  }
  return [...seen.values()]
}
