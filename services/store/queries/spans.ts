import type { ClickHouseClient } from '@clickhouse/client'
import { LIMITS, query, run } from '../store.ts'

/** A half-open range of minutes, in milliseconds since 1970. */
export interface MinuteRange {
  since: number
  until: number
}

export interface DirtyMinute {
  minute: number
  spans: number
}

/** Minutes that hold more spans than when they were last paired. */
export async function dirtyMinutes(client: ClickHouseClient): Promise<DirtyMinute[]> {
  return await query<DirtyMinute>(
    client,
    `SELECT toUnixTimestamp(minute) * 1000 AS minute, spans
     FROM (SELECT minute, sum(m.spans) AS spans FROM span_minute AS m GROUP BY minute) AS now
     LEFT JOIN (SELECT minute, spans AS paired FROM span_minute_paired FINAL) AS before USING minute
     WHERE spans != paired ORDER BY minute`,
    {},
    'jobs',
  )
}

/**
 * Minutes that hold children of long spans of the given minutes. A long span is exported when it ends, after its children
 * were paired without it.
 */
export async function childMinutesOfLongSpans(client: ClickHouseClient, minutes: DirtyMinute[]): Promise<number[]> {
  if (minutes.length === 0) return []
  const rows = await query<{ minute: number }>(
    client,
    `SELECT DISTINCT toUnixTimestamp(toStartOfMinute(child.time)) * 1000 AS minute FROM span AS child
     WHERE toStartOfMinute(child.time) >= fromUnixTimestamp({first:UInt32}) AND toStartOfMinute(child.time) < fromUnixTimestamp({last:UInt32}) + INTERVAL 1 DAY
       AND parent_key IN (
         SELECT span_key FROM span AS long
         WHERE toUnixTimestamp(toStartOfMinute(long.time)) IN {minutes:Array(UInt32)} AND duration_us > 60000000)`,
    {
      first: Math.min(...minutes.map(({ minute }) => minute)) / 1000,
      last: Math.max(...minutes.map(({ minute }) => minute)) / 1000,
      minutes: minutes.map(({ minute }) => minute / 1000),
    },
    'jobs',
  )
  return rows.map(({ minute }) => minute)
}

export async function markPaired(client: ClickHouseClient, minutes: DirtyMinute[]): Promise<void> {
  if (minutes.length === 0) return
  await run(
    client,
    `INSERT INTO span_minute_paired (minute, spans, version)
     SELECT fromUnixTimestamp(m), s, toUnixTimestamp64Milli(now64(3)) FROM (SELECT arrayJoin(arrayZip({minutes:Array(UInt32)}, {spans:Array(UInt64)})) AS pair, pair.1 AS m, pair.2 AS s)`,
    { minutes: minutes.map(({ minute }) => minute / 1000), spans: minutes.map(({ spans }) => spans) },
  )
}

const CALL_KEY =
  'minute, cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload, unpaired, protocol, method, shape, path_flags'

/**
 * Pairs the spans that start in a range with their parents, and writes the range's calls anew.
 *
 * A call is a span whose parent belongs to another service; client spans are not the callee's. The small side, the
 * entries, is the hash table; parents are looked for in a minute around the range, then, for those still alone, in the
 * day before (streams, slow parents). A span has one parent: where several spans claim the same id, any one of them stands
 * for it, else a sender that repeats ids would make a call of each pair. A call that is no longer found is written as zero.
 */
export async function writeCalls(client: ClickHouseClient, range: MinuteRange): Promise<void> {
  await run(
    client,
    `INSERT INTO span_call (${CALL_KEY}, requests, first_seen, last_seen, version)
     SELECT ${CALL_KEY}, sum(n) AS requests, min(first), max(last), toUnixTimestamp64Milli(now64(3))
     FROM (
       SELECT ${CALL_KEY}, count() AS n, min(time) AS first, max(time) AS last FROM (${CALLS}) GROUP BY ${CALL_KEY}
       UNION ALL
       SELECT ${CALL_KEY}, 0 AS n, first_seen AS first, last_seen AS last FROM span_call FINAL WHERE minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')}
     )
     GROUP BY ${CALL_KEY}
     SETTINGS ${LIMITS.jobs}`,
    { since: range.since / 1000, until: range.until / 1000 },
  )
}

const COLUMNS =
  'span_key, parent_key, time, cluster, namespace, workload, service, kind, protocol, method, path, path_flags, path_rank, is_database'

/** Spans that may be entries of a service: a database client or any other client span is its caller's. */
const CHILDREN = `
  SELECT DISTINCT ${COLUMNS} FROM span
  WHERE toStartOfMinute(time) >= {since:DateTime('UTC')} AND toStartOfMinute(time) < {until:DateTime('UTC')} AND kind NOT IN ('client', 'producer')`

const NEAR_PARENTS = `
  SELECT DISTINCT ${COLUMNS} FROM span
  WHERE toStartOfMinute(time) >= {since:DateTime('UTC')} - INTERVAL 1 MINUTE AND toStartOfMinute(time) < {until:DateTime('UTC')} + INTERVAL 1 MINUTE
    AND span_key IN (SELECT parent_key FROM (${CHILDREN}))`

const FAR_PARENTS = `
  SELECT DISTINCT ${COLUMNS} FROM span
  WHERE toStartOfMinute(time) >= {since:DateTime('UTC')} - INTERVAL 1 DAY AND toStartOfMinute(time) < {since:DateTime('UTC')} - INTERVAL 1 MINUTE
    AND span_key IN (SELECT parent_key FROM (${CHILDREN}) WHERE parent_key != 0 AND parent_key NOT IN (SELECT span_key FROM (${NEAR_PARENTS})))`

const CALLS = `
  SELECT
    toStartOfMinute(child.time) AS minute, child.time AS time,
    child.cluster AS cluster, child.namespace AS destination_namespace, child.workload AS destination_workload,
    parent.cluster AS source_cluster, parent.namespace AS source_namespace, parent.workload AS source_workload,
    multiIf(child.parent_key = 0, 'root', parent.span_key = 0, 'unpaired', '') AS unpaired,
    if(child.protocol != 'unknown', child.protocol, if(parent.kind = 'client', parent.protocol, 'unknown')) AS protocol,
    -- A gRPC call is POST; otherwise whichever side tells the method. A parent that is no client tells of its own request.
    multiIf(child.method != '', child.method, parent.kind = 'client', parent.method, '') AS method,
    parent.kind = 'client' AND parent.path_rank > child.path_rank AS parent_knows_path,
    if(parent_knows_path, parent.path, child.path) AS shape,
    if(parent_knows_path, parent.path_flags, child.path_flags) AS path_flags
  FROM (SELECT * FROM (${CHILDREN})) AS child
  LEFT ANY JOIN (SELECT * FROM (${NEAR_PARENTS}) UNION DISTINCT SELECT * FROM (${FAR_PARENTS})) AS parent ON parent.span_key = child.parent_key
  WHERE parent.span_key = 0 AND child.kind != 'internal' OR parent.span_key != 0 AND (parent.namespace != child.namespace OR parent.service != child.service)`
