import type { ClickHouseClient } from '@clickhouse/client'
import type { Evidence, Reporter } from '../../model/evidence.ts'
import type { Protocol } from '../../model/operation.ts'
import type { OperationUsers } from '../../model/users.ts'
import { query, queryColumns } from '../store.ts'
import {
  JOINED_ENDS,
  joinedEdges,
  joinedHours,
  joinedOperations,
  joinedUsage,
  TAKEN_EDGES,
  takenOperations,
} from './joined.ts'
import type { Told } from './told.ts'

/** Half-open, whole hours; empty means from the first or to the last that is stored. Text as `2026-11-22T10:00:00Z`. */
export interface Window {
  since: string
  until: string
}

/** A rollup's row, summed over the window: one edge as one kind of reporter saw it. Addresses `::` and empty texts are "not told". */
export interface EdgeRow {
  cluster: string
  destination_namespace: string
  destination_workload: string
  destination_service: string
  destination_principal: string
  destination_address: string
  destination_kind: 'internal' | 'external'
  source_cluster: string
  source_namespace: string
  source_workload: string
  source_principal: string
  /** Of a joined call: the service that the caller's address answers for, where nothing names its workload. */
  source_service?: string
  source_address: string
  source_evidence: Evidence
  reporter: Reporter
  /** Of a joined call: the service that the gateway's own address answers for, where nothing names its workload. */
  gateway_service?: string
  /** Of a span without a known caller: '' for a call, `root` or `unpaired`. */
  unpaired: '' | 'root' | 'unpaired'
  service_port: number
  workload_port: number
  protocol: Protocol
  mtls: 'unknown' | 'no' | 'yes'
  requests: number
  denied: number
  /** ISO 8601, UTC, microseconds. */
  first_seen: string
  last_seen: string
}

/** An edge as one channel told of it: in one format, by one sender. */
export interface UsageRow extends EdgeRow {
  /** The id of what the edge is, of 32 hexadecimal digits. */
  edge: string
  source_format: string
  sender: string
  /** `gateway`: an Envoy between two hops, each with an identity of its own. */
  enforcement_point: string
  /** The least of its requests' marks: two channels that told of the same requests have it in common. 0 is not known. */
  mark: number
  /** When it was used: a bit for each hour of the window, of a longer one for each of so many equal parts. */
  active: number
}

/** The usage of an edge in one hour. */
export interface HourRow extends Pick<UsageRow, 'edge' | 'requests' | 'denied' | 'first_seen' | 'last_seen'> {
  /** ISO 8601, UTC. */
  hour: string
  /** The least marks of its operations: more of them than the edge has, so that channels that lose some meet all the same. */
  marks: number[]
}

/** Hours that count, by the edge. */
export type KeptHours = Map<string, string[]>

export interface OperationRow extends UsageRow {
  method: string
  shape: string
  path_flags: number
  days: number
  /** Those of its requests that were answered that there is nothing; absent where that is not told. */
  not_found?: number
  /** The operation that its requests name, where it is counted at its path without it. */
  folded_name?: string
  /** Who the users were, where that is told: `analyzer/graph/users.ts`. */
  users?: OperationUsers | undefined
  /** The caller's replicas, where they were asked for and are told: `model/marks.ts`. */
  replicas?: string | undefined
}

const ENDS = `cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, destination_kind,
  source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence, reporter, service_port, workload_port, protocol, mtls,
  lower(hex(usage.edge)) AS edge, source_format, sender, enforcement_point, mark, active`

/** Whether something was used, in a window of so many hours or parts: JSON keeps 53 bits. */
const PARTS_MAX = 52
const part = (hour: string, bits = '1') =>
  `bitShiftLeft(toUInt64(${bits}), least(intDiv(toUnixTimestamp(${hour}) - toUnixTimestamp({since:DateTime('UTC')}), {part_s:UInt32}), ${PARTS_MAX}))`

/** The id of an edge that spans tell of. */
export const SPAN_EDGE = `sipHash128(cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload, unpaired, toInt8(protocol))`

const UNJOINED = `'' AS source_service, '' AS gateway_service`

const SPAN_ENDS = `cluster, destination_namespace, destination_workload, '' AS destination_service, '' AS destination_principal, toIPv6('::') AS destination_address, 'internal' AS destination_kind,
  source_cluster, source_namespace, source_workload, '' AS source_principal, toIPv6('::') AS source_address, if(source_workload = '', 'none', 'claimed') AS source_evidence, 'span' AS reporter,
  0 AS service_port, 0 AS workload_port, protocol, 'unknown' AS mtls,
  lower(hex(${SPAN_EDGE})) AS edge,
  'otlp-traces' AS source_format, '' AS sender, 'none' AS enforcement_point, 0 AS mark, groupBitOr(${part('toStartOfHour(minute)')}) AS active, ${UNJOINED}`

const SUMS =
  'sum(r.requests) AS requests, sum(r.denied) AS denied, min(r.first_seen) AS first_seen, max(r.last_seen) AS last_seen, min(r.mark) AS mark'
/** Counts that others are taken from. */
const SIGNED = 'toInt64(requests) AS requests, toInt64(denied) AS denied, first_seen, last_seen, mark'
const SUMMED = `requests, denied, ${iso('first_seen')} AS first_seen, ${iso('last_seen')} AS last_seen`
const SPAN_SUMS = `sum(c.requests) AS requests, 0 AS denied, ${iso('min(c.first_seen)')} AS first_seen, ${iso('max(c.last_seen)')} AS last_seen`

/** SQL that writes a time as ISO 8601, UTC, with its microseconds. */
export function iso(time: string): string {
  return `formatDateTime(${time}, '%FT%T.%fZ')`
}

export const within = (column: string) => `${column} >= {since:DateTime('UTC')} AND ${column} < {until:DateTime('UTC')}`

/** What each edge is, beside its usage. A table of ids may hold an edge several times until it merges, all alike. */
const withEnds = (usage: string) => `(${usage}) AS usage ANY LEFT JOIN edge ON edge.edge = usage.edge`

/** The hours of a window before and behind its whole days. */
export const IN_ENDS = `(hour >= {since:DateTime('UTC')} AND hour < {head_end:DateTime('UTC')} OR hour >= {tail_start:DateTime('UTC')} AND hour < {until:DateTime('UTC')})`

/** The parts of a statement that stands for all of them. */
const union = (parts: readonly (string | false)[]) => parts.filter((part) => part !== false).join(' UNION ALL ')

/**
 * The window's whole days by the day, and the hours before and behind them; of all edges, or of those that `which` says. What the window
 * has none of is not in the statement.
 */
function edgeUsageOf(window: Window, isJoined: boolean, which = ''): string {
  const { first_day, last_day, head_end, tail_start } = wholeDays(window)
  const { since, until } = bounds(window)
  const hasDays = first_day !== last_day
  const days = `
    SELECT edge, ${SIGNED}, ${part("toDateTime(day, 'UTC')", 'if({part_s:UInt32} = 3600, hours, 1)')} AS active
    FROM edge_usage_day WHERE day >= {first_day:Date} AND day < {last_day:Date} ${which}`
  const hours = `SELECT edge, ${SIGNED}, ${part('hour')} AS active FROM edge_usage_hour WHERE ${IN_ENDS} ${which}`
  const taken = `SELECT *, 0 AS active FROM (${TAKEN_EDGES} ${which})`
  const parts = [hasDays && days, !(hasDays && head_end === since && tail_start === until) && hours, isJoined && taken]
  return `
  SELECT edge, ${SUMS}, groupBitOr(active) AS active FROM (${union(parts)}) AS r GROUP BY edge HAVING requests > 0 OR denied > 0`
}

/** Of the edges of which only some hours count. */
export const IS_PARTIAL = 'edge IN (SELECT unhex(arrayJoin({partial:Array(String)})))'

/** Of edges of which only some hours count, those. */
export const keptOnly = (isPartial: boolean, edge: string, hour: string) =>
  isPartial
    ? `AND (${edge} NOT IN (SELECT unhex(arrayJoin({partial:Array(String)}))) OR (${edge}, ${hour}) IN (
         SELECT unhex(kept.1), parseDateTimeBestEffort(kept.2, 'UTC') FROM (SELECT arrayJoin(arrayZip({edges:Array(String)}, {hours:Array(String)})) AS kept)))`
    : ''

/** Usage by operation and hour, less what was joined. */
const OPERATION_HOURS = `
  (SELECT edge, hour, method, shape, path_flags, toInt64(not_found) AS not_found, ${SIGNED} FROM operation_usage WHERE ${within('hour')}
   UNION ALL
   ${takenOperations()}) AS r`

/** Edges of which all hours count have their whole days by the day; ends of the window, and edges of which only some hours count, by the hour. */
const operationUsage = (isPartial: boolean) => `
  SELECT edge, method, shape, path_flags, uniqExact(day) AS days, sum(r.not_found) AS not_found, ${SUMS}, 0 AS active FROM (
    SELECT edge, day, method, shape, path_flags, toInt64(not_found) AS not_found, ${SIGNED}
    FROM operation_usage_day WHERE day >= {first_day:Date} AND day < {last_day:Date} ${isPartial ? `AND NOT (${IS_PARTIAL})` : ''}
    UNION ALL
    SELECT edge, toDate(hour) AS day, method, shape, path_flags, toInt64(not_found) AS not_found, ${SIGNED}
    FROM operation_usage WHERE (${IN_ENDS} ${isPartial ? `OR ${within('hour')} AND ${IS_PARTIAL}` : ''}) ${keptOnly(isPartial, 'edge', 'hour')}
    UNION ALL
    SELECT edge, toDate(hour) AS day, method, shape, path_flags, not_found, requests, denied, first_seen, last_seen, mark
    FROM (${takenOperations()}) WHERE true ${keptOnly(isPartial, 'edge', 'hour')}
  ) AS r
  GROUP BY edge, method, shape, path_flags HAVING requests > 0 OR denied > 0`

/** The edges of a window: reads the rollups only, whole days by the day, so its cost grows neither with requests nor with hours. */
export async function edgeRows(client: ClickHouseClient, window: Window): Promise<UsageRow[]> {
  return await query<UsageRow>(
    client,
    `SELECT ${ENDS}, ${UNJOINED}, '' AS unpaired, ${SUMMED} FROM ${withEnds(edgeUsageOf(window, true))}
     UNION ALL
     SELECT ${JOINED_ENDS}, '' AS unpaired, ${SUMMED} FROM ${withEnds(joinedEdges(`${SUMS}, groupBitOr(${part('r.hour')}) AS active`))}
     UNION ALL
     SELECT ${SPAN_ENDS}, unpaired, ${SPAN_SUMS} FROM span_call AS c FINAL WHERE ${within('minute')}
     GROUP BY cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload, unpaired, protocol HAVING requests > 0`,
    { ...bounds(window), ...wholeDays(window) },
  )
}

/** The usage of an edge, without what it is. */
export type EdgeUsage = Pick<UsageRow, 'edge' | 'requests' | 'denied' | 'first_seen' | 'last_seen' | 'mark' | 'active'>

/** The same where times may not have been asked for. */
type UntimedUsage = Omit<EdgeUsage, 'first_seen' | 'last_seen'> & Partial<Pick<EdgeUsage, 'first_seen' | 'last_seen'>>

/** What is asked of the usage of edges. */
export interface AskedUsage {
  /** What there is of the window beside access logs. */
  told: Told
  /** Ids; otherwise all. */
  edges?: readonly string[] | undefined
  /** Whether times are not read: they are a third of the cost, and a comparison needs none. */
  isUntimed?: boolean | undefined
}

/**
 * The same as `edgeRows`, without what each edge is, in columns and in the order of edges; of all edges, or of some. Times that were
 * not asked for are no columns.
 */
export async function edgeUsage(client: ClickHouseClient, window: Window, { told, edges, isUntimed }: AskedUsage) {
  const asked = '(SELECT toFixedString(unhex(arrayJoin({edges:Array(String)})), 16))'
  const some = edges ? `AND edge IN ${asked}` : ''
  const logged = `SELECT edge AS id, requests, denied, first_seen, last_seen, mark, active FROM (${edgeUsageOf(window, told.joined, some)})`
  const joined = `
    SELECT joined_edge AS id, requests, denied, first_seen, last_seen, mark, active
    FROM (${joinedUsage(`${SUMS}, groupBitOr(${part('r.hour')}) AS active`, edges ? `joined_edge IN ${asked}` : 'true')})`
  const spans = `
    SELECT edge AS id, sum(c.requests) AS requests, 0 AS denied, min(c.first_seen) AS first_seen, max(c.last_seen) AS last_seen, 0 AS mark,
      groupBitOr(${part('toStartOfHour(minute)')}) AS active
    FROM (SELECT *, edge FROM span_call FINAL WHERE ${within('minute')} ${some}) AS c GROUP BY edge HAVING requests > 0`
  return await queryColumns<UntimedUsage>(
    client,
    `SELECT lower(hex(id)) AS edge, ${isUntimed ? 'requests, denied' : SUMMED}, mark, active FROM (${union([logged, told.joined && joined, told.spans && spans])}) ORDER BY id`,
    { ...bounds(window), ...wholeDays(window), ...(edges ? { edges: [...edges] } : {}) },
    hoursOf(window) <= NARROW_HOURS ? 'narrow' : 'reads',
  )
}

/** The usage of some edges by the hour. */
export async function edgeHours(client: ClickHouseClient, window: Window, edges: string[]): Promise<HourRow[]> {
  const asked = '(SELECT unhex(arrayJoin({edges:Array(String)})))'
  return await query<HourRow>(
    client,
    `SELECT lower(hex(edge)) AS edge, formatDateTime(hour, '%FT%TZ') AS hour, ${SUMMED}, marks FROM (
       SELECT edge, hour, ${SUMS}, groupUniqArray(r.mark) AS marks
       FROM (SELECT edge, hour, ${SUMS} FROM ${OPERATION_HOURS} WHERE edge IN ${asked} GROUP BY edge, hour, method, shape, path_flags HAVING requests > 0 OR denied > 0) AS r
       GROUP BY edge, hour)
     UNION ALL
     SELECT lower(hex(edge)) AS edge, formatDateTime(hour, '%FT%TZ') AS hour, ${SUMMED}, marks FROM (${joinedHours(SUMS, `joined_edge IN ${asked}`)})
     UNION ALL
     SELECT lower(hex(${SPAN_EDGE})) AS edge, formatDateTime(toStartOfHour(minute), '%FT%TZ') AS hour, ${SPAN_SUMS}, [] AS marks FROM span_call AS c FINAL
     WHERE ${within('minute')} AND ${SPAN_EDGE} IN ${asked} GROUP BY edge, hour HAVING requests > 0`,
    { ...bounds(window), edges },
  )
}

/**
 * The operations of a window, with the edges that they are on; of the edges of `partial` those of the given hours. Whole days
 * are read by the day: what a month costs grows with its days.
 */
export async function operationRows(
  client: ClickHouseClient,
  window: Window,
  partial: KeptHours = new Map(),
): Promise<OperationRow[]> {
  const isPartial = partial.size > 0
  return await query<OperationRow>(
    client,
    `SELECT ${ENDS}, ${UNJOINED}, '' AS unpaired, method, shape, path_flags, days, not_found, ${SUMMED} FROM ${withEnds(operationUsage(isPartial))}
     UNION ALL
     SELECT ${JOINED_ENDS}, '' AS unpaired, method, shape, path_flags, days, not_found, ${SUMMED} FROM ${withEnds(joinedOperations(`${SUMS}, 0 AS active`, `true ${keptOnly(isPartial, 'joined_edge', 'hour')}`))}
     UNION ALL
     SELECT ${SPAN_ENDS}, unpaired, method, shape, path_flags, uniqExact(toDate(minute)) AS days, sum(c.not_found) AS not_found, ${SPAN_SUMS} FROM span_call AS c FINAL
     WHERE ${within('minute')} ${keptOnly(isPartial, SPAN_EDGE, 'toStartOfHour(minute)')}
     GROUP BY cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload, unpaired, protocol, method, shape, path_flags HAVING requests > 0`,
    { ...bounds(window), ...wholeDays(window), ...partialHours(partial) },
  )
}

/** What `keptOnly` is bound to. */
export function partialHours(partial: KeptHours): Record<'partial' | 'edges' | 'hours', string[]> | undefined {
  const kept = [...partial].flatMap(([edge, hours]) => hours.map((hour) => ({ edge, hour })))
  if (kept.length === 0) return undefined
  return {
    partial: [...partial.keys()],
    edges: kept.map(({ edge }) => edge),
    hours: kept.map(({ hour }) => hour),
  }
}

/** The window that all stored requests lie in, in whole hours; undefined when there are none. */
export async function storedWindow(client: ClickHouseClient): Promise<Window | undefined> {
  const [row] = await query<Window & { any: number }>(
    client,
    `SELECT count() AS any, formatDateTime(min(first), '%FT%TZ') AS since, formatDateTime(max(last), '%FT%TZ') AS until FROM (
       SELECT min(hour) AS first, max(hour) + INTERVAL 1 HOUR AS last FROM edge_usage_hour HAVING count() > 0
       UNION ALL
       SELECT min(hour) AS first, max(hour) + INTERVAL 1 HOUR AS last FROM metric_hour WHERE requests > 0 HAVING count() > 0
       UNION ALL
       SELECT toStartOfHour(min(minute)) AS first, toStartOfHour(max(minute)) + INTERVAL 1 HOUR AS last FROM span_call HAVING count() > 0)`,
  )
  return row && row.any > 0 ? { since: row.since, until: row.until } : undefined
}

/** As `2026-11-22 10:00:00`: of seconds since 1970 the engine reads no fewer than five digits, and an empty store's window begins with 0. */
const text = (time: string | number) => new Date(time).toISOString().slice(0, 19).replace('T', ' ')

export function bounds(window: Window): { since: string; until: string; part_s: number } {
  const seconds = (Date.parse(window.until) - Date.parse(window.since)) / 1000
  const part_s = seconds <= PARTS_MAX * HOUR_S ? HOUR_S : Math.ceil(seconds / PARTS_MAX)
  return { since: text(window.since), until: text(window.until), part_s }
}

const hoursOf = ({ since, until }: Window) => (Date.parse(until) - Date.parse(since)) / HOUR_S / 1000

const HOUR_S = 3600
/** Of longer windows, two weeks, the usage of edges has so many rows that more threads than one help. */
const NARROW_HOURS = 14 * 24
const DAY_MS = 86_400_000

/** The whole UTC days of a window, half-open, and where the hours before them end and those behind them start; no days where it holds none. */
export function wholeDays(window: Window): {
  first_day: string
  last_day: string
  head_end: string
  tail_start: string
} {
  const first = Math.ceil(Date.parse(window.since) / DAY_MS) * DAY_MS
  const last = Math.floor(Date.parse(window.until) / DAY_MS) * DAY_MS
  const [head, tail] = first < last ? [first, last] : [Date.parse(window.until), Date.parse(window.until)]
  const day = (time: number) => new Date(time).toISOString().slice(0, 10)
  return { first_day: day(first), last_day: day(Math.max(first, last)), head_end: text(head), tail_start: text(tail) }
}
