import type { ClickHouseClient } from '@clickhouse/client'
import { query, queryColumns } from '../store.ts'
import { knownJoinedEdges } from './joined.ts'
import type { EdgeUsage, UsageRow } from './rollups.ts'

/** What an edge is, without its usage. */
export type EdgeEnds = Required<Omit<UsageRow, keyof EdgeUsage>> & Pick<UsageRow, 'edge'>

/** Edges for one statement: some 400 bytes each. */
export const EDGES_AT_ONCE = 50_000

const ENDS = `lower(hex(e.edge)) AS edge, cluster, destination_namespace, destination_workload, destination_service, destination_principal,
  destination_address, destination_kind, source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence,
  reporter, unpaired, service_port, workload_port, protocol, mtls, source_format, sender, enforcement_point,
  '' AS source_service, '' AS gateway_service`

/** Edges in the order of their ids, behind the id `after`, in columns; at most `EDGES_AT_ONCE`. */
export async function edgesAfter(client: ClickHouseClient, after: string) {
  return await queryColumns<EdgeEnds>(
    client,
    `SELECT ${ENDS} FROM edge AS e WHERE e.edge > unhex({after:String}) ORDER BY e.edge LIMIT 1 BY e.edge LIMIT ${EDGES_AT_ONCE}`,
    { after },
  )
}

/** The same of edges of joined calls. */
export async function joinedEdgesAfter(client: ClickHouseClient, after: string) {
  const which = `j.joined_edge > unhex({after:String}) ORDER BY j.joined_edge LIMIT 1 BY j.joined_edge LIMIT ${EDGES_AT_ONCE}`
  return await queryColumns<EdgeEnds>(client, `${knownJoinedEdges(which)} ORDER BY usage.joined_edge`, { after })
}

/** Edges by their ids, in columns; those of joined calls behind the others. */
export async function edgesById(client: ClickHouseClient, ids: readonly string[]) {
  const asked = '(SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))'
  const params = { ids: [...ids] }
  return await Promise.all([
    queryColumns<EdgeEnds>(client, `SELECT ${ENDS} FROM edge AS e WHERE e.edge IN ${asked} LIMIT 1 BY e.edge`, params),
    queryColumns<EdgeEnds>(client, knownJoinedEdges(`j.joined_edge IN ${asked} LIMIT 1 BY j.joined_edge`), params),
  ])
}

const IDS = '(SELECT edge AS id FROM edge UNION ALL SELECT joined_edge AS id FROM joined_edge)'

export async function edgeIds(client: ClickHouseClient): Promise<string[]> {
  return (await queryColumns<{ edge: string }>(client, `SELECT lower(hex(id)) AS edge FROM ${IDS} GROUP BY id`)).edge
}

/** What naming depends on: how many edges there are, and when objects were last declared. */
export async function namingState(client: ClickHouseClient): Promise<{ edges: number; declared: string }> {
  const [row] = await query<{ edges: number; declared: string }>(
    client,
    `SELECT (SELECT uniqExact(id) FROM ${IDS}) AS edges,
       concat(toString((SELECT max(declared) FROM declared_workload)), ' ', toString((SELECT max(declared) FROM declared_service)), ' ',
         toString((SELECT max(declared) FROM declared_trust_domain))) AS declared`,
  )
  return row ?? { edges: 0, declared: '' }
}

/** A text of digits and dashes that changes when a graph may: with what was accepted, with spans that were paired, with callers that were found, with objects. */
export async function graphState(client: ClickHouseClient): Promise<string> {
  const [row] = await query<{ accepted: number; paired: number; joined: number; declared: number }>(
    client,
    `SELECT (SELECT sum(accepted) FROM ingest_batch) AS accepted, (SELECT max(version) FROM span_minute_paired) AS paired,
       (SELECT max(version) FROM call_half_minute_joined) AS joined,
       toUnixTimestamp64Milli(greatest((SELECT max(declared) FROM declared_workload), (SELECT max(declared) FROM declared_service),
         (SELECT max(declared) FROM declared_trust_domain))) AS declared`,
  )
  return `${row?.accepted ?? 0}-${row?.paired ?? 0}-${row?.joined ?? 0}-${row?.declared ?? 0}`
}
