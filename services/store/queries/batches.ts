import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'

/** What became of a batch's lines or spans. */
export interface Counts {
  accepted: number
  rejected: number
}

/** The counts of a batch that was committed, now or earlier. */
export async function batchCounts(client: ClickHouseClient, batch: string): Promise<Counts> {
  const [row] = await query<Counts>(
    client,
    'SELECT sum(b.accepted) AS accepted, sum(b.rejected) AS rejected FROM ingest_batch AS b WHERE batch = {batch:String}',
    { batch },
  )
  return { accepted: Number(row?.accepted ?? 0), rejected: Number(row?.rejected ?? 0) }
}

/** What each source brought, and how fresh it is. Times are ISO 8601, UTC; empty where nothing came. */
export interface SourceState {
  source: string
  sender: string
  cluster: string
  accepted: number
  rejected: number
  first_seen: string
  last_seen: string
  loaded: string
}

export async function sourceStates(client: ClickHouseClient): Promise<SourceState[]> {
  return await query<SourceState>(
    client,
    `SELECT source_format AS source, sender, cluster, sum(b.accepted) AS accepted, sum(b.rejected) AS rejected,
       formatDateTime(minIf(b.first_time, b.accepted > 0), '%FT%TZ') AS first_seen, formatDateTime(maxIf(b.last_time, b.accepted > 0), '%FT%TZ') AS last_seen,
       formatDateTime(max(b.loaded), '%FT%TZ') AS loaded
     FROM ingest_batch AS b GROUP BY source, sender, cluster ORDER BY source, sender, cluster`,
  )
}
