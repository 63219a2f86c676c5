import type { OperationRow } from '../../store/queries/rollups.ts'
import type { Call } from '../graph/calls.ts'
import { learnTemplates } from '../operations/learn.ts'
import { seenPaths } from './records.ts'
import type { TemplateOf } from './stored.ts'

/** The templates that some calls alone teach, by callee: what would have been stored had nothing come after them. */
export function templatesOfCalls(calls: readonly Call<OperationRow>[]): ReadonlyMap<string, TemplateOf> {
  const callees = Map.groupBy(calls, ({ destination }) => destination.id)
  return new Map([...callees].map(([callee, own]) => [callee, learnTemplates(seenOf(own)).templateOf]))
}

function seenOf(calls: readonly Call<OperationRow>[]) {
  const callers = new Map(calls.map(({ row, source }) => [row.edge, source.id]))
  const paths = Map.groupBy(
    calls.filter(({ row }) => row.protocol !== 'grpc'),
    ({ row }) => JSON.stringify([row.method, row.shape]),
  )
  const seen = [...paths.values()].flatMap((same) => {
    const [first] = same
    if (!first) return []
    const served = same.filter(({ row }) => row.requests > (row.not_found ?? 0))
    const path = {
      ...first.row,
      path_flags: same.reduce((flags, { row }) => flags | row.path_flags, 0),
      requests: served.reduce((sum, { row }) => sum + row.requests - (row.not_found ?? 0), 0),
      edges: served.map(({ row }) => row.edge),
    }
    return [path]
  })
  return seenPaths(seen, callers)
}
