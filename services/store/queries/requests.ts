import type { ClickHouseClient } from '@clickhouse/client'
import { query, run } from '../store.ts'

/** A request that is in the store: `id` is 32 hexadecimal digits. */
export interface StoredRequest {
  id: string
  accepted: number
  rejected: number
}

/** Records requests whose chunk was inserted; the same token again records nothing more. */
export async function recordRequests(
  client: ClickHouseClient,
  token: string,
  requests: StoredRequest[],
): Promise<void> {
  if (requests.length === 0) return
  await run(
    client,
    `INSERT INTO received_request (request, accepted, rejected) SETTINGS async_insert = 0, insert_deduplication_token = {token:String}
     SELECT unhex(row.1), row.2, row.3
     FROM (SELECT arrayJoin(arrayZip({ids:Array(String)}, {accepted:Array(UInt32)}, {rejected:Array(UInt32)})) AS row)`,
    {
      token,
      ids: requests.map((request) => request.id),
      accepted: requests.map((request) => request.accepted),
      rejected: requests.map((request) => request.rejected),
    },
  )
}

/** Those of the requests with these ids that any process stored in the last `seconds`. */
export async function storedRequests(
  client: ClickHouseClient,
  ids: string[],
  seconds: number,
): Promise<StoredRequest[]> {
  return await query<StoredRequest>(
    client,
    `SELECT lower(hex(r.request)) AS id, max(r.accepted) AS accepted, max(r.rejected) AS rejected FROM received_request AS r
     WHERE r.received >= now() - toIntervalSecond({seconds:UInt32}) AND r.request IN (SELECT unhex(arrayJoin({ids:Array(String)})))
     GROUP BY r.request`,
    { ids, seconds },
  )
}

/** The newest requests of the last `seconds`, `limit` of them at most, oldest first. */
export async function recentRequests(
  client: ClickHouseClient,
  seconds: number,
  limit: number,
): Promise<StoredRequest[]> {
  const rows = await query<StoredRequest>(
    client,
    `SELECT lower(hex(r.request)) AS id, max(r.accepted) AS accepted, max(r.rejected) AS rejected FROM received_request AS r
     WHERE r.received >= now() - toIntervalSecond({seconds:UInt32})
     GROUP BY r.request ORDER BY max(r.received) DESC LIMIT {limit:UInt32}`,
    { seconds, limit },
  )
  return rows.reverse()
}
