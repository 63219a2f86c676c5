import type { ClickHouseClient } from '@clickhouse/client'
import { LIMITS, query, run } from '../store.ts'
import { RELAY_REACH } from './join-callers.ts'
import { CALLS, COMMON, COUNTS } from './join-calls.ts'
import { ASKING, NEAR } from './join-halves.ts'
import type { MinuteRange } from './spans.ts'

const MINUTE_MS = 60_000

export interface ChangedMinute {
  minute: number
  /** Halves that came, and times that it was touched from outside. */
  changes: number
}

/**
 * Minutes whose halves changed since they were last joined. One that has fewer halves than came has lost some to the retention:
 * what was found in it then stands. @param before milliseconds: minutes that began then are left for later
 */
export async function changedMinutes(client: ClickHouseClient, before: number, max: number): Promise<ChangedMinute[]> {
  return await query<ChangedMinute>(
    client,
    `WITH changed AS (
       SELECT minute, halves, halves + touched AS changes
       FROM (SELECT minute, sum(m.halves) AS halves, sum(m.touched) AS touched FROM call_half_minute AS m GROUP BY minute) AS now
       LEFT JOIN (SELECT minute, changes AS joined FROM call_half_minute_joined FINAL) AS before USING minute
       WHERE changes != joined AND minute < fromUnixTimestamp({before:UInt32}))
     SELECT toUnixTimestamp(minute) * 1000 AS minute, changes FROM changed
     INNER JOIN (SELECT toStartOfMinute(time) AS minute, count() AS kept FROM call_half WHERE toStartOfMinute(time) IN (SELECT minute FROM changed) GROUP BY minute) AS present USING minute
     WHERE kept >= halves ORDER BY minute LIMIT {max:UInt32}`,
    { before: Math.floor(before / 1000), max },
    'jobs',
  )
}

/**
 * Minutes with calls that came through connections which a gateway held from before: it tells of a connection when it ends.
 */
export async function minutesOfRelays(client: ClickHouseClient, minutes: ChangedMinute[]): Promise<number[]> {
  if (minutes.length === 0) return []
  const rows = await query<{ minute: number }>(
    client,
    `WITH relays AS (SELECT connection, client, time, duration_us FROM call_half WHERE toUnixTimestamp(toStartOfMinute(time)) IN {minutes:Array(UInt32)} AND side = 'relay')
     SELECT DISTINCT toUnixTimestamp(toStartOfMinute(time)) * 1000 AS minute FROM call_half
     WHERE side = 'callee' AND client IN (SELECT client FROM relays)
       AND toStartOfMinute(time) >= (SELECT min(time) FROM relays) - ${RELAY_REACH} AND toStartOfMinute(time) < (SELECT max(time) FROM relays) + ${RELAY_REACH}
     ORDER BY minute`,
    { minutes: minutes.map(({ minute }) => minute / 1000) },
    'jobs',
  )
  return rows.map(({ minute }) => minute)
}

/** What a join of some minutes is about. */
export interface ToJoin {
  /** Halves that it reads. */
  halves: number
  /** Those of them that ask who called, and calls that were found before: without both there is nothing to write. */
  asking: number
  found: number
}

export async function toJoin(client: ClickHouseClient, minutes: readonly number[]): Promise<ToJoin> {
  const [row] = await query<ToJoin>(
    client,
    `SELECT count() AS halves, countIf(${ASKING}) AS asking, (SELECT count() FROM joined_call AS j WHERE ${OF_MINUTES}) AS found FROM call_half WHERE ${NEAR}`,
    { ...paramsOf(minutes), part: 0, parts: 1 },
    'jobs',
  )
  return row ?? { halves: 0, asking: 0, found: 0 }
}

export async function markJoined(client: ClickHouseClient, minutes: ChangedMinute[]): Promise<void> {
  if (minutes.length === 0) return
  await run(
    client,
    `INSERT INTO call_half_minute_joined (minute, changes, version)
     SELECT fromUnixTimestamp(m), c, toUnixTimestamp64Milli(now64(3)) FROM (SELECT arrayJoin(arrayZip({minutes:Array(UInt32)}, {changes:Array(UInt64)})) AS pair, pair.1 AS m, pair.2 AS c)`,
    { minutes: minutes.map(({ minute }) => minute / 1000), changes: minutes.map(({ changes }) => changes) },
  )
}

const ENDS = `edge, method, shape, path_flags, source_cluster, source_namespace, source_workload, source_principal, source_service, source_evidence, rung,
  contradicts, gateway_namespace, gateway_workload, gateway_service`
const COUNTED = COUNTS.join(', ')
/** Of rows that may be the same but for their counts; those of what is no longer found count nothing. */
const SUMS = `sum(requests), sum(denied), sum(lines), sum(lines_denied), sum(not_found), sum(lines_not_found), min(first_seen), max(last_seen), min(mark), groupBitOr(replicas)`
const NOTHING = `0 AS requests, 0 AS denied, 0 AS lines, 0 AS lines_denied, 0 AS not_found, 0 AS lines_not_found,
  toDateTime64('2299-12-31 00:00:00', 6, 'UTC') AS first_seen, toDateTime64(0, 6, 'UTC') AS last_seen, toUInt64(9007199254740991) AS mark, toUInt256(0) AS replicas`
const INSIDE = `j.minute >= {since:DateTime('UTC')} AND j.minute < {until:DateTime('UTC')}`
const OF_MINUTES = `${INSIDE} AND toUnixTimestamp(j.minute) IN {minutes:Array(UInt32)}`

/**
 * Rewriting passes that are off: each compares columns by all that is selected below them, and finds nothing to rewrite. With them the
 * engine analyses the join in 1,150 ms, without in 300.
 */
const UNREWRITTEN =
  'optimize_and_compare_chain = 0, optimize_extract_common_expressions = 0, optimize_aggregators_of_group_by_keys = 0, optimize_syntax_fuse_functions = 0, optimize_group_by_function_keys = 0'

/**
 * Joins a part of the lines of some minutes, and writes the part's calls anew. Calls that are no longer found are written as zero;
 * with the last part, those of parts that are no more.
 */
export async function writeJoined(client: ClickHouseClient, minutes: number[], part = 0, parts = 1): Promise<void> {
  await run(
    client,
    `INSERT INTO joined_call (part, minute, ${ENDS}, ${COUNTED}, version)
     ${COMMON}
     SELECT untuple(call), ${SUMS}, toUnixTimestamp64Milli(now64(3))
     FROM (
       SELECT tuple({part:UInt16}, minute, ${ENDS}) AS call, ${COUNTED} FROM (${CALLS})
       UNION ALL
       SELECT tuple(part, minute, ${ENDS}) AS call, ${NOTHING} FROM joined_call AS j FINAL
       WHERE ${OF_MINUTES} AND (j.part = {part:UInt16} OR {part:UInt16} + 1 = {parts:UInt16} AND j.part >= {parts:UInt16})
     )
     GROUP BY call
     SETTINGS ${LIMITS.jobs}, enable_materialized_cte = 1, ${UNREWRITTEN}`,
    { ...paramsOf(minutes), part, parts },
  )
}

function paramsOf(minutes: readonly number[]) {
  const { since, until } = rangeOf(minutes)
  return { since: since / 1000, until: until / 1000, minutes: minutes.map((minute) => minute / 1000) }
}

/** The range that some minutes are in, in order. Times are milliseconds since 1970. */
export function rangeOf(minutes: readonly number[]): MinuteRange {
  const [first = 0] = minutes
  return { since: first, until: (minutes.at(-1) ?? first) + MINUTE_MS }
}

/** Sums the minutes of a range of whole hours, and writes the hours anew. */
export async function writeJoinedHours(client: ClickHouseClient, range: MinuteRange): Promise<void> {
  const rows = (table: string, counts: string) =>
    `SELECT toStartOfHour(j.minute) AS hour, tuple(${ENDS}) AS ends, ${counts} FROM ${table} AS j FINAL WHERE ${INSIDE}`
  await run(
    client,
    `INSERT INTO joined_call_hour (minute, ${ENDS}, ${COUNTED}, version)
     SELECT hour, untuple(ends), ${SUMS}, toUnixTimestamp64Milli(now64(3))
     FROM (${rows('joined_call', COUNTED)} UNION ALL ${rows('joined_call_hour', NOTHING)})
     GROUP BY hour, ends
     SETTINGS ${LIMITS.jobs}`,
    { since: range.since / 1000, until: range.until / 1000 },
  )
}
