import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'
import type { EdgeRow } from './rollups.ts'

/** Kinds of refused calls that are told; the most frequent. */
const CALLS_MAX = 10_000

/** Requests of one kind as callees' own proxies told of them; its columns name the callee as an edge's do. */
export interface TakenRow extends EdgeRow {
  /** How many of the asked moments it came after. */
  passed: number
}

export interface RefusedRow extends TakenRow {
  method: string
  shape: string
  decision: 'denied' | 'would_deny'
}

const ENDS = [
  'cluster',
  'destination_namespace',
  'destination_workload',
  'destination_service',
  'destination_principal',
]
const TAKEN = `
  FROM request WHERE stage = 'end' AND reporter IN ('destination', 'gateway') AND toUnixTimestamp64Milli(time) >= {first:Int64}`
const PASSED = 'arrayCount(moment -> moment <= toUnixTimestamp64Milli(time), {moments:Array(Int64)}) AS passed'
/** Of a row of facts, what an edge says that is not asked here. */
const UNASKED = {
  ...{
    destination_address: '::',
    destination_kind: 'internal',
    source_cluster: '',
    source_namespace: '',
    source_workload: '',
  },
  ...{ source_principal: '', source_address: '::', source_evidence: 'none', reporter: 'destination', unpaired: '' },
  ...{ service_port: 0, workload_port: 0, protocol: 'unknown', mtls: 'unknown', denied: 0, first_seen: '' },
} as const

/**
 * What callees' own proxies took and refused, or would have, since the first of some moments; what a gateway took is its own.
 * @param moments milliseconds since 1970, in order
 */
export async function takenSince(
  client: ClickHouseClient,
  moments: number[],
): Promise<{ taken: TakenRow[]; refused: RefusedRow[] }> {
  const params = { moments, first: moments[0] ?? 0, max: CALLS_MAX }
  const count = "count() AS requests, formatDateTime(max(time), '%FT%TZ') AS last_seen"
  const taken = await query<TakenRow>(
    client,
    `SELECT ${ENDS.join(', ')}, ${PASSED}, ${count} ${TAKEN} GROUP BY ${ENDS.join(', ')}, passed`,
    params,
  )
  const kind = [...ENDS, 'source_principal', 'method', 'shape', 'decision', 'passed'].join(', ')
  const refused = await query<RefusedRow>(
    client,
    `SELECT ${[...ENDS, 'source_principal', 'method', 'shape', 'decision'].join(', ')}, ${PASSED}, ${count} ${TAKEN} AND decision != 'allowed'
     GROUP BY ${kind} ORDER BY requests DESC, ${kind} LIMIT {max:UInt32}`,
    params,
  )
  return {
    taken: taken.map((row) => ({ ...UNASKED, ...row })),
    refused: refused.map((row) => ({ ...UNASKED, ...row })),
  }
}
