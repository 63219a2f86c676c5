import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'
import type { Window } from './rollups.ts'

/** Lines of one sender in one format, and how many of them have each field: those of the Common Log Format, an identity, a trace id. */
export interface LogFields {
  source: string
  sender: string
  lines: number
  /** Who asked: an address, a workload or an identity. */
  host: number
  /** Method and path. */
  request: number
  status: number
  /** A caller's identity that is proven or verified, or a user. */
  identity: number
  trace_id: number
}

/** Of the facts themselves, of one day at most: no rollup has these. */
const DAY_MS = 86_400_000

/** What access logs tell of requests over HTTP in a window, or in its last day. */
export async function logFields(client: ClickHouseClient, { since, until }: Window): Promise<LogFields[]> {
  const from = Math.max(Date.parse(since), Date.parse(until) - DAY_MS)
  return await query<LogFields>(
    client,
    `SELECT source_format AS source, sender, count() AS lines,
       countIf(source_address != toIPv6('::') OR source_workload != '' OR source_principal != '') AS host,
       countIf(method != '' AND (shape != '' OR path != '')) AS request, countIf(status != 0 OR grpc_status > 0) AS status,
       countIf(source_principal != '' OR user_subject != '') AS identity, countIf(trace_id != toFixedString('', 16)) AS trace_id
     FROM request
     WHERE time >= parseDateTimeBestEffort({since:String}, 'UTC') AND time < parseDateTimeBestEffort({until:String}, 'UTC')
       AND reporter IN ('source', 'gateway', 'destination') AND protocol IN ('http', 'grpc') AND stage = 'end'
     GROUP BY source, sender ORDER BY source, sender`,
    { since: new Date(from).toISOString(), until },
  )
}
