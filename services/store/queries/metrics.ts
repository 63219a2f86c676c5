import type { ClickHouseClient } from '@clickhouse/client'
import { LIMITS, query, run } from '../store.ts'

/** A target's hour that has other samples than when it was last counted. Ids are text: they are 64 bits wide. */
export interface DirtyTarget {
  sender: string
  target: string
  /** Seconds since 1970. */
  hour: number
  samples: number
}

/** Target hours whose samples changed since they were counted, oldest first, `limit` of them at most. */
export async function dirtyTargets(client: ClickHouseClient, limit: number): Promise<DirtyTarget[]> {
  return await query<DirtyTarget>(
    client,
    `SELECT sender, toString(target) AS target, toUnixTimestamp(hour) AS hour, samples
     FROM (SELECT sender, target, hour, sum(m.samples) AS samples FROM metric_target_hour AS m GROUP BY sender, target, hour) AS now
     LEFT JOIN (SELECT sender, target, hour, samples AS counted FROM metric_target_counted FINAL) AS before USING (sender, target, hour)
     WHERE samples != counted ORDER BY hour, sender, target LIMIT {limit:UInt32}`,
    { limit },
    'jobs',
  )
}

/** Records that these hours were counted as they were then. */
export async function markCounted(client: ClickHouseClient, dirty: DirtyTarget[]): Promise<void> {
  if (dirty.length === 0) return
  await run(
    client,
    `INSERT INTO metric_target_counted (sender, target, hour, samples, version)
     SELECT row.1, toUInt64(row.2), fromUnixTimestamp(row.3), row.4, toUnixTimestamp64Milli(now64(3))
     FROM (SELECT arrayJoin(arrayZip({senders:Array(String)}, {targets:Array(String)}, {hours:Array(UInt32)}, {samples:Array(UInt64)})) AS row)`,
    {
      senders: dirty.map(({ sender }) => sender),
      targets: dirty.map(({ target }) => target),
      hours: dirty.map(({ hour }) => hour),
      samples: dirty.map(({ samples }) => samples),
    },
  )
}

/** How far back a series is looked for: after a longer silence it begins anew. */
const LOOK_BACK_HOURS = 24
/** Requests between two samples are spread over the time between them, but over no more than this before the later one. */
const SPREAD_SECONDS_MAX = 3600
/** A counter that says when it began, and is seen for the first time, counts from its beginning if that is no longer ago. */
const BEGINNING_SECONDS_MAX = 3600

const DIMENSIONS = `cluster, instance, metric, measure, reporter, source_cluster, source_namespace, source_workload, source_principal,
  source_evidence, destination_cluster, destination_namespace, destination_workload, destination_principal, destination_service,
  destination_kind, protocol, mtls, status, response_flags`

const OF_TARGETS = 'sender = {sender:String} AND target IN arrayMap(id -> toUInt64(id), {targets:Array(String)})'
const hours = (from: string, to: string) => `hour >= ${from} AND hour < ${to}`
const SINCE = "{since:DateTime('UTC')}"
const UNTIL = `(${SINCE} + INTERVAL ${LOOK_BACK_HOURS + 2} HOUR)`

/** Samples from the first hour that is written on, each once; before it, every series' last sample of the look-back. */
const SAMPLES = `
  SELECT target, metric, series, time, max(s.value) AS value, max(s.start) AS start, max(s.delta) AS delta
  FROM metric_sample AS s WHERE ${OF_TARGETS} AND ${hours(SINCE, UNTIL)} GROUP BY target, metric, series, time HAVING value >= 0
  UNION ALL
  SELECT target, metric, series, max(l.last).1 AS time, max(l.last).2 AS value, toDateTime64(0, 3, 'UTC') AS start, toUInt8(0) AS delta
  FROM metric_last AS l WHERE ${OF_TARGETS} AND ${hours(`${SINCE} - INTERVAL ${LOOK_BACK_HOURS} HOUR`, SINCE)} GROUP BY target, metric, series`

/** Counters that one program tells together: where one of them was seen, the others were at zero or seen too. */
const FAMILY = (metric: string) =>
  `multiIf(startsWith(${metric}, 'istio_'), 'istio', startsWith(${metric}, 'http.'), 'http', 'linkerd')`

/**
 * When each target told of each family, whatever the series: one that was not among them was at zero then. `whole`: it was Cinch's
 * own look at the page; what others send may lack a sample that they had.
 */
const LOOKS = `
  SELECT target, family, time, max(s.metric = 'cinch_scrape') AS whole FROM (${SAMPLES}) AS s
  ARRAY JOIN if(s.metric = 'cinch_scrape', ['istio', 'linkerd'], [${FAMILY('s.metric')}]) AS family
  GROUP BY target, family, time`

/**
 * What happened between each sample and the one before it: `requests` since `since`.
 *
 * A counter began anew where it says so (its start is later than the sample before), or where it does not say and is lower than
 * before, or was gone in between: then all that it shows came since. One that says that it did not begin anew never counts down. A series that is new
 * counts from zero where its target was looked at before and did not have it; else its first sample is only where counting begins.
 */
const INCREMENTS = `
  SELECT
    target, metric, series, time,
    multiIf(
      delta, value,
      known AND (start > before OR was_gone OR (start <= toDateTime64(1, 3, 'UTC') AND value < value_before)), value,
      known, greatest(value - value_before, 0),
      looked > toDateTime64(1, 3, 'UTC') OR began_lately, value,
      0) AS requests,
    multiIf(
      delta, if(start > toDateTime64(1, 3, 'UTC') AND start < time, start, time),
      known, greatest(before, start, if(was_gone, looked, before)), greatest(looked, start)) AS from_time,
    if(known AND NOT delta, dateDiff('second', before, time), 0) AS gap_s
  FROM (
    SELECT
      samples.*, looks.time AS looked,
      known AND looks.whole AND looked > before AND start <= toDateTime64(1, 3, 'UTC') AS was_gone,
      start > toDateTime64(1, 3, 'UTC') AND start < samples.time AND dateDiff('second', start, samples.time) <= ${BEGINNING_SECONDS_MAX} AS began_lately
    FROM (
      SELECT
        *,
        ${FAMILY('metric')} AS family,
        row_number() OVER in_time > 1 AS known,
        lagInFrame(time) OVER in_time AS before, lagInFrame(value) OVER in_time AS value_before
      FROM (${SAMPLES})
      WINDOW in_time AS (PARTITION BY target, series ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ) AS samples
    ASOF LEFT JOIN (${LOOKS}) AS looks ON samples.target = looks.target AND samples.family = looks.family AND samples.time > looks.time
    WHERE samples.metric != 'cinch_scrape'
  )`

/** The share that falls before the hour of the later sample goes to the hour before: whole requests, so that the sum is kept. */
const BY_HOUR = `
  SELECT
    target, series, hour_part.1 AS hour, sum(hour_part.2) AS requests, max(gap_s) AS gap_s, min(greatest(clipped, hour)) AS first_seen, max(time) AS last_seen
  FROM (
    SELECT
      *,
      greatest(from_time, time - INTERVAL ${SPREAD_SECONDS_MAX} SECOND) AS clipped,
      toStartOfHour(time) AS own_hour,
      toUInt64(if(clipped >= own_hour OR clipped >= time, 0,
        round(requests * dateDiff('millisecond', clipped, toDateTime64(own_hour, 3, 'UTC')) / dateDiff('millisecond', clipped, time)))) AS earlier,
      arrayFilter(part -> part.2 > 0, [(own_hour - INTERVAL 1 HOUR, earlier), (own_hour, toUInt64(requests - earlier))]) AS parts
    FROM (${INCREMENTS}) WHERE requests > 0
  )
  ARRAY JOIN parts AS hour_part
  GROUP BY target, series, hour`

/** Samples are kept for eight days: an hour that was counted before that is not counted again from what is left of them. */
const SETTLED = `
  SELECT target, hour FROM metric_hour FINAL
  WHERE ${OF_TARGETS} AND ${hours(SINCE, UNTIL)} AND version < toUnixTimestamp64Milli(now64(3) - INTERVAL 7 DAY)`

/**
 * Counts the requests of a sender's targets from one hour before `since` on, and writes these hours anew. What an hour no longer
 * has is written as zero.
 * @param since the first hour whose samples changed, in seconds since 1970
 * @param targets ids as text, `TARGETS_MAX` of them at most
 */
export async function writeMetricHours(
  client: ClickHouseClient,
  sender: string,
  targets: string[],
  since: number,
): Promise<void> {
  await run(
    client,
    `INSERT INTO metric_hour (hour, sender, target, series, ${DIMENSIONS}, requests, gap_s, first_seen, last_seen, version)
     SELECT hour, {sender:String}, target, series, ${DIMENSIONS}, sum(n) AS requests, max(g) AS gap_s, minIf(first, n > 0), max(last), toUnixTimestamp64Milli(now64(3))
     FROM (
       SELECT target, series, hour, requests AS n, gap_s AS g, first_seen AS first, last_seen AS last FROM (${BY_HOUR}) WHERE hour >= ${SINCE}
       UNION ALL
       SELECT target, series, hour, 0 AS n, 0 AS g, first_seen AS first, last_seen AS last FROM metric_hour FINAL
       WHERE ${OF_TARGETS} AND ${hours(SINCE, UNTIL)}
     ) AS counted
     INNER JOIN (SELECT target, series, ${DIMENSIONS} FROM metric_series FINAL WHERE ${OF_TARGETS}) AS described USING (target, series)
     WHERE (target, hour) NOT IN (${SETTLED})
     GROUP BY hour, target, series, ${DIMENSIONS}
     SETTINGS ${LIMITS.jobs}`,
    { sender, targets, since: since - 3600 },
  )
}
