import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'

/** What became of a batch's lines or spans. */
export interface Counts {
  accepted: number
  rejected: number
}

export const plus = (a: Counts, b: Counts): Counts => ({
  accepted: a.accepted + b.accepted,
  rejected: a.rejected + b.rejected,
})

/** The counts of a batch that was committed, now or earlier. */
export async function batchCounts(client: ClickHouseClient, batch: string): Promise<Counts> {
  const [row] = await query<Counts>(
    client,
    'SELECT sum(b.accepted) AS accepted, sum(b.rejected) AS rejected FROM ingest_batch AS b WHERE batch = {batch:String}',
    { batch },
  )
  return { accepted: Number(row?.accepted ?? 0), rejected: Number(row?.rejected ?? 0) }
}

/**
 * What each source and sender brought, and how fresh it is. Times are ISO 8601, UTC; empty where nothing came. A scan of all
 * batches: a row a batch.
 */
export interface SourceState {
  source: string
  sender: string
  cluster: string
  accepted: number
  rejected: number
  first_seen: string
  last_seen: string
  loaded: string
  /** Seconds since the last batch was loaded. */
  quiet_s: number
  /** Seconds from the last request of the newest batch to its loading; 0 where none was accepted. */
  lag_s: number
  /** What was accepted in each hour before now that had any: hours ago (0 to 23), and how much. */
  hours: [ago: number, accepted: number][]
}

/** @param nowMs the time that `quiet_s` and `hours` count from, in milliseconds since the epoch */
export async function sourceStates(client: ClickHouseClient, nowMs: number): Promise<SourceState[]> {
  return await query<SourceState>(
    client,
    `SELECT source_format AS source, sender, cluster, sum(b.accepted) AS accepted, sum(b.rejected) AS rejected,
       formatDateTime(minIf(b.first_time, b.accepted > 0), '%FT%TZ') AS first_seen, formatDateTime(maxIf(b.last_time, b.accepted > 0), '%FT%TZ') AS last_seen,
       formatDateTime(max(b.loaded), '%FT%TZ') AS loaded,
       greatest(0, {now:Int64} - toUnixTimestamp(max(b.loaded))) AS quiet_s,
       if(countIf(b.accepted > 0) = 0, 0, toUnixTimestamp(argMaxIf(b.loaded, (b.loaded, b.last_time), b.accepted > 0))
         - toUnixTimestamp64Micro(argMaxIf(b.last_time, (b.loaded, b.last_time), b.accepted > 0)) / 1e6) AS lag_s,
       CAST(sumMapIf(map(toUInt8(intDiv({now:Int64} - toUnixTimestamp(b.loaded), 3600)), b.accepted),
         toUnixTimestamp(b.loaded) <= {now:Int64} AND toUnixTimestamp(b.loaded) > {now:Int64} - 86400) AS Array(Tuple(UInt8, UInt64))) AS hours
     FROM ingest_batch AS b GROUP BY source, sender, cluster ORDER BY source, sender, cluster`,
    { now: Math.floor(nowMs / 1000) },
  )
}

/** So far back it is learned how often a sender sends: two months have eight weekends. */
const RHYTHM_DAYS = 60

/** How often one gap lay between minutes in which something of a source came from a sender. */
export interface GapRow {
  source: string
  sender: string
  cluster: string
  seconds: number
  times: number
}

/** The gaps of all senders, by the minute: shorter ones say nothing about silence. */
export async function batchGaps(client: ClickHouseClient, nowMs: number): Promise<GapRow[]> {
  return await query<GapRow>(
    client,
    `SELECT source, sender, cluster, toUInt32(gap) * 60 AS seconds, count() AS times
     FROM (
       SELECT source_format AS source, sender, cluster,
         arrayPopFront(arrayDifference(arraySort(groupUniqArray(toInt64(intDiv(toUnixTimestamp(b.loaded), 60)))))) AS gaps
       FROM ingest_batch AS b
       WHERE toUnixTimestamp(b.loaded) BETWEEN {now:Int64} - {days:UInt32} * 86400 AND {now:Int64}
       GROUP BY source, sender, cluster
     ) ARRAY JOIN gaps AS gap
     GROUP BY source, sender, cluster, gap ORDER BY source, sender, cluster, gap`,
    { now: Math.floor(nowMs / 1000), days: RHYTHM_DAYS },
  )
}
