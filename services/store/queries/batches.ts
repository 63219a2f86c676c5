import { type ClickHouseClient, ClickHouseError } from '@clickhouse/client'
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

/** What batches of one source, sender and cluster brought. `…_us`: microseconds, the others seconds since 1970. */
export interface SourceSums {
  source: string
  sender: string
  cluster: string
  accepted: number
  rejected: number
  /** When the newest of them was loaded. */
  loaded: number
  /** Times of requests, and the newest of the batches that brought any with its last request; 0 where none was accepted. */
  first_us: number
  last_us: number
  newest: [loaded: number, last_us: number]
  /** What was accepted, by the minute of loading, of the last 25 hours before `until` or now. */
  minutes: [minute: number, accepted: number][]
}

/** When batches were loaded, in seconds since 1970 by the store's clock. */
export interface LoadedRange {
  since: number
  until: number
}

/** How much the clocks of two replicas may differ, in seconds. */
const SKEW_S = 600

/**
 * Parts that were written before a range have no batch that was loaded in it, and are not read: the table is ordered by batch, and an
 * index of times would be two more files for each insert. A part that is merged away meanwhile is not left out.
 */
const WRITTEN_SINCE = `_part NOT IN (
  SELECT name FROM system.parts WHERE database = currentDatabase() AND table = 'ingest_batch' AND toUnixTimestamp(modification_time) < {since:Int64} - ${SKEW_S})`

const sumsWhere = (parts: string) => `
  SELECT source_format AS source, sender, cluster, sum(b.accepted) AS accepted, sum(b.rejected) AS rejected, toUnixTimestamp(max(b.loaded)) AS loaded,
    if(countIf(b.accepted > 0) = 0, 0, toUnixTimestamp64Micro(minIf(b.first_time, b.accepted > 0))) AS first_us,
    if(countIf(b.accepted > 0) = 0, 0, toUnixTimestamp64Micro(maxIf(b.last_time, b.accepted > 0))) AS last_us,
    maxIf((toUnixTimestamp(b.loaded), toUnixTimestamp64Micro(b.last_time)), b.accepted > 0) AS newest,
    CAST(sumMapIf(map(intDiv(toUnixTimestamp(b.loaded), 60), b.accepted), toUnixTimestamp(b.loaded) > least({until:Int64}, toUnixTimestamp(now())) - 90000 AND b.accepted > 0) AS Array(Tuple(UInt32, UInt64))) AS minutes
  FROM ingest_batch AS b
  WHERE ${parts}
    AND toUnixTimestamp(b.loaded) >= {since:Int64} AND toUnixTimestamp(b.loaded) < {until:Int64}
  GROUP BY source, sender, cluster ORDER BY source, sender, cluster`

/** Batches that were loaded in a range. */
export const SOURCE_SUMS = sumsWhere(WRITTEN_SINCE)

/** What a server answers whose user was not granted a table: `system.parts`, then. */
const ACCESS_DENIED = '497'

export async function sourceSums(client: ClickHouseClient, range: LoadedRange): Promise<SourceSums[]> {
  try {
    return await query<SourceSums>(client, SOURCE_SUMS, { ...range })
  } catch (error) {
    if (!(error instanceof ClickHouseError) || error.code !== ACCESS_DENIED) throw error
    // The same answer, read from all batches.
    return await query<SourceSums>(client, sumsWhere('1'), { ...range })
  }
}

/** The store's time, in seconds since 1970: what `loaded` is told by. */
export async function storeTime(client: ClickHouseClient): Promise<number> {
  const [row] = await query<{ now: number }>(client, 'SELECT toUnixTimestamp(now()) AS now')
  return row?.now ?? 0
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
