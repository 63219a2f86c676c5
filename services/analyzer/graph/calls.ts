import { EVIDENCE, REPORTER } from '../../model/evidence.ts'
import type { GraphNode, Unattributed } from '../../model/graph.ts'
import type { EdgeRow } from '../../store/queries/rollups.ts'
import type { Parties } from './parties.ts'

/** A rollup's row whose ends have names. */
export interface Call<Row extends EdgeRow> {
  row: Row
  source: GraphNode
  destination: GraphNode
}

export interface Calls<Row extends EdgeRow> {
  calls: Call<Row>[]
  unattributed: Unattributed[]
}

/**
 * Names the rows' ends, and keeps one reporter's view of each pair: a call that both proxies, a gateway and a span saw
 * counts once, by the strongest that saw it.
 */
export function nameCalls<Row extends EdgeRow>(rows: readonly Row[], parties: Parties): Calls<Row> {
  const unattributed = new Map<string, Unattributed>()
  const calls: Call<Row>[] = []
  const seenByCallee = new Set(
    rows.filter((row) => row.reporter === 'destination').map((row) => parties.destination(row).id),
  )
  for (const seen of rows) {
    const callee = parties.destination(seen)
    // Whoever logged it between, the callee's line tells of the same call: of a caller's own line that does not say who it
    // is nothing is left, of a gateway's line the call to the gateway itself.
    const again = seen.destination_kind === 'internal' && seenByCallee.has(callee.id)
    if (again && seen.reporter === 'source' && seen.source_evidence === 'none') continue
    const gateway = again ? parties.gateway(seen) : undefined
    const destination = gateway ?? callee
    const row = gateway ? { ...seen, service_port: 0, workload_port: 0 } : seen
    const source = row.unpaired === '' ? parties.source(row) : undefined
    if (source) calls.push({ row, source, destination })
    else count(unattributed, destination.id, row)
  }
  return { calls: strongestReporters(calls), unattributed: [...unattributed.values()] }
}

function count(unattributed: Map<string, Unattributed>, destination: string, row: EdgeRow): void {
  const reason = row.unpaired === '' ? 'unknown' : row.unpaired
  const key = `${destination} ${reason}`
  const entry = unattributed.get(key) ?? { destination, reason, requests: 0 }
  entry.requests += row.requests + row.denied
  unattributed.set(key, entry)
}

const strength = (row: EdgeRow) => EVIDENCE[row.source_evidence] * 10 + REPORTER[row.reporter]

function strongestReporters<Row extends EdgeRow>(calls: Call<Row>[]): Call<Row>[] {
  const pair = (call: Call<Row>) => JSON.stringify([call.source.id, call.destination.id])
  const strongest = new Map<string, EdgeRow>()
  for (const call of calls) {
    const best = strongest.get(pair(call))
    if (!best || strength(call.row) > strength(best)) strongest.set(pair(call), call.row)
  }
  return calls.filter((call) => call.row.reporter === strongest.get(pair(call))?.reporter)
}
