import type { ClickHouseClient } from '@clickhouse/client'
import { type Params, query, run } from '../store.ts'

/** A line that became no fact: redacted and cut, with the reason. */
export interface Reject {
  loaded: string
  source: string
  sender: string
  cluster: string
  reason: string
  line: string
}

export const REJECTS_MAX = 1000

/** The newest rejects, `limit` of them at most (bounded by `REJECTS_MAX`). */
export async function rejects(client: ClickHouseClient, source: string, limit: number): Promise<Reject[]> {
  return await query<Reject>(
    client,
    `SELECT formatDateTime(r.loaded, '%FT%TZ') AS loaded, source_format AS source, sender, cluster, reason, line FROM rejected_line AS r
     WHERE {source:String} = '' OR source_format = {source:String} ORDER BY r.loaded DESC LIMIT {limit:UInt32}`,
    { source, limit: Math.min(limit, REJECTS_MAX) },
  )
}

export interface RejectReason {
  source: string
  reason: string
  lines: number
}

/** How many rejects there are for which reason. */
export async function rejectReasons(client: ClickHouseClient, source: string): Promise<RejectReason[]> {
  return await query<RejectReason>(
    client,
    `SELECT source_format AS source, reason, count() AS lines FROM rejected_line
     WHERE {source:String} = '' OR source_format = {source:String} GROUP BY source, reason ORDER BY lines DESC`,
    { source },
  )
}

/** Messages that were refused before the engine saw them, all for one reason. */
export interface MessageReject {
  reason: string
  /** Where they were; redacted and cut like every reject. */
  line: string
  messages: number
}

/** Records messages of any source that are no telemetry: one reject each. */
export async function rejectMessages(
  client: ClickHouseClient,
  params: Params,
  rejects: MessageReject[],
): Promise<void> {
  await run(
    client,
    `INSERT INTO parsed_request (batch, sender, cluster, source_format, reject_reason, line)
     SETTINGS insert_deduplication_token = {token:String}
     SELECT {batch:String}, {sender:String}, {cluster:String}, {source:String}, reason, line FROM (
       SELECT reason, line, messages FROM (SELECT 1)
       ARRAY JOIN {reasons:Array(String)} AS reason, {lines:Array(String)} AS line, {messages:Array(UInt32)} AS messages)
     ARRAY JOIN range(messages) AS message`,
    {
      ...params,
      reasons: rejects.map(({ reason }) => reason),
      lines: rejects.map(({ line }) => line),
      messages: rejects.map(({ messages }) => messages),
    },
  )
}

/** Records that a chunk of any source was refused as a whole. */
export async function rejectChunk(client: ClickHouseClient, params: Params): Promise<void> {
  await run(
    client,
    `INSERT INTO parsed_request (batch, sender, cluster, source_format, reject_reason, line) SETTINGS insert_deduplication_token = {token:String}
     SELECT {batch:String}, {sender:String}, {cluster:String}, {source:String}, {reason:String}, {line:String}`,
    params,
  )
}
