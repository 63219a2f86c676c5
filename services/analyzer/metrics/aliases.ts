import type { GraphNode } from '../../model/graph.ts'
import type { EdgeRow } from '../../store/queries/rollups.ts'
import type { Parties } from '../graph/parties.ts'

/**
 * The nodes that the callee of a counter may be in the graph of the access logs, best first. A counter names workload, identity
 * and service together; a log may know the same callee by one of them only.
 */
export function calleeAliases(row: EdgeRow, parties: Parties): GraphNode[] {
  const nameless = { ...row, destination_workload: '' }
  const rows = [row]
  if (row.destination_workload !== '' && row.destination_principal !== '')
    rows.push({ ...nameless, destination_service: '' })
  if (row.destination_workload !== '' && row.destination_service !== '')
    rows.push({ ...nameless, destination_principal: '' })
  return rows.map((alias) => parties.destination(alias))
}

/** The nodes that the caller of a counter may be, best first; none where nobody named it. */
export function callerAliases(row: EdgeRow, parties: Parties): GraphNode[] {
  const rows =
    row.source_workload !== '' && row.source_principal !== '' ? [row, { ...row, source_workload: '' }] : [row]
  return rows.map((alias) => parties.source(alias)).filter((node) => node !== undefined)
}
