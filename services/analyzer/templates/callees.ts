import type { UsageRow } from '../../store/queries/rollups.ts'
import type { Call } from '../graph/calls.ts'

/** Whose operations are learned: the edges that lead to it, each with the caller's node id. */
export interface CalleeUsage {
  callee: string
  edges: Map<string, string>
  /** Requests of all of them, refused ones among them: when it differs, there is something new. */
  usage: number
}

/** The callees of a window's calls. gRPC's paths are names, which nothing has to be learned of. */
export function calleesOf(calls: readonly Call<UsageRow>[]): CalleeUsage[] {
  const callees = new Map<string, CalleeUsage>()
  for (const { row, source, destination } of calls) {
    if (row.protocol === 'grpc' || row.protocol === 'tcp') continue
    const known = callees.get(destination.id) ?? { callee: destination.id, edges: new Map(), usage: 0 }
    callees.set(destination.id, known)
    known.edges.set(row.edge, source.id)
    known.usage += row.requests + row.denied
  }
  return [...callees.values()]
}
