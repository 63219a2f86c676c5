import type { ClickHouseClient } from '@clickhouse/client'
import { type Params, queryColumns } from '../store.ts'
import { JOINED_EDGE, joinedCalls, STANDS, takenOperations } from './joined.ts'
import { bounds, iso, type Window } from './rollups.ts'
import type { Told } from './told.ts'

/** An operation of an edge in two windows, without its text. */
export interface OperationPresence {
  edge: string
  /** The hash of method and shape, of 32 hexadecimal digits: it is the same on all edges. */
  operation: string
  /** Refused ones included; of an operation that is there, at least as many as the window has: it may be those of its whole weeks. */
  requests: number
  requests_before: number
}

/** The same with its text. */
export interface OperationUse extends OperationPresence {
  method: string
  path: string
  /** 1 where these are the windows' own requests, 0 where they are those of whole weeks. */
  exact: 0 | 1
}

/** Operations that are looked at: those used most, where more changed. */
export const CHANGED_OPERATIONS_MAX = 200_000

const HOUR_MS = 3_600_000
const WEEK_MS = 168 * HOUR_MS
/** Unix time begins on a Thursday. */
const MONDAY_MS = 4 * 24 * HOUR_MS

/** The weeks that a window touches, and a bit for each hour that it has of the first and of the last one; these may be one. */
function weeksOf({ since, until }: Window): { first: string; last: string; head: string; tail: string } {
  const [start, end] = [Date.parse(since), Date.parse(until)]
  const monday = (time: number) => time - ((((time - MONDAY_MS) % WEEK_MS) + WEEK_MS) % WEEK_MS)
  const [first, last] = [monday(start), monday(end - 1)]
  const hoursOf = (week: number) => {
    const bit = (time: number) => BigInt(Math.min(168, Math.max(0, Math.ceil((time - week) / HOUR_MS))))
    return String((1n << bit(end)) - (1n << bit(start)))
  }
  const day = (time: number) => new Date(time).toISOString().slice(0, 10)
  return { first: day(first), last: day(last), head: hoursOf(first), tail: hoursOf(last) }
}

function paramsOf({ window, earlier }: Pick<Compared, 'window' | 'earlier'>): Params {
  const [now, before] = [bounds(window), bounds(earlier)]
  const weeks = (name: string, of: Window) =>
    Object.entries(weeksOf(of)).map(([key, value]) => [`${key}_${name}`, value] as const)
  return {
    ...{ since: now.since, until: now.until, since_before: before.since, until_before: before.until },
    ...Object.fromEntries([...weeks('now', window), ...weeks('before', earlier)]),
  }
}

const now = (column: string) => `${column} >= {since:DateTime('UTC')} AND ${column} < {until:DateTime('UTC')}`
const before = (column: string) =>
  `${column} >= {since_before:DateTime('UTC')} AND ${column} < {until_before:DateTime('UTC')}`

const either = (column: string) => `(${now(column)} OR ${before(column)})`

const OPERATION = 'sipHash128(method, shape)'

const usage = (time: string, table: string, which: string) => `
  SELECT t.edge AS edge, method, shape AS path, sumIf(toInt64(t.requests) + toInt64(t.denied), ${now(time)}) AS requests,
    sumIf(toInt64(t.requests) + toInt64(t.denied), ${before(time)}) AS requests_before
  FROM ${table} AS t WHERE ${either(time)} ${which} GROUP BY edge, method, path`

const SPAN_CALLS = '(SELECT *, 0 AS denied, edge FROM span_call FINAL)'

/** Edges of which calls were taken whose caller was found. */
const COUNTED = '(SELECT j.edge FROM joined_edge AS j)'
const UNTAKEN = `
  (SELECT edge, hour, method, shape, toInt64(requests) AS requests, toInt64(denied) AS denied FROM operation_usage WHERE edge IN ${COUNTED}
   UNION ALL
   SELECT edge, hour, method, shape, requests, denied FROM (${takenOperations(either('minute'))}))`
const JOINED = `(SELECT joined_edge AS edge, hour, method, shape, requests, denied FROM ${joinedCalls(either('minute'))})`

/** Two windows that are compared, and what there is of either beside access logs. */
export interface Compared {
  window: Window
  earlier: Window
  told: Told
}

/** What weeks do not tell: lines less what was joined, joined calls, and spans. */
const others = ({ joined, spans }: Told, which: string) => [
  ...(joined ? [usage('hour', UNTAKEN, which), usage('hour', JOINED, which)] : []),
  ...(spans ? [usage('minute', SPAN_CALLS, which)] : []),
]

type Name = 'now' | 'before'

const ALL_HOURS = String((1n << 168n) - 1n)
/** Of a window of whole weeks it does not matter which hours a row has: these are a third of what is read. */
function isOfWholeWeeks(window: Window): boolean {
  const { first, last, head, tail } = weeksOf(window)
  return first === last ? head === ALL_HOURS : head === ALL_HOURS && tail === ALL_HOURS
}

const isBetween = (name: Name) => `week > {first_${name}:Date} AND week < {last_${name}:Date}`
/** Whether a row of a week has an hour of a window. */
const inWeek = (name: Name, window: Window) =>
  isOfWholeWeeks(window)
    ? `(week >= {first_${name}:Date} AND week <= {last_${name}:Date})`
    : `(${isBetween(name)}
    OR week = {first_${name}:Date} AND bitAnd(hours, {head_${name}:UInt256}) != 0 OR week = {last_${name}:Date} AND bitAnd(hours, {tail_${name}:UInt256}) != 0)`
/** Whether a row's requests are of hours that a window has, all or none. */
const isWhole = (name: Name) => `multiIf(
    week = {first_${name}:Date}, bitAnd(hours, {head_${name}:UInt256}) IN (hours, 0), week = {last_${name}:Date}, bitAnd(hours, {tail_${name}:UInt256}) IN (hours, 0), 1)`
const IN_WEEKS = `(week >= {first_now:Date} AND week <= {last_now:Date} OR week >= {first_before:Date} AND week <= {last_before:Date})`

/** @param columns beside the two ids and the requests */
const weeks = ({ window, earlier, told }: Compared, which: string, columns = '') => `
  SELECT t.edge AS edge, operation, sumIf(toInt64(t.requests), ${inWeek('now', window)}) AS requests, sumIf(toInt64(t.requests), ${inWeek('before', earlier)}) AS requests_before ${columns}
  FROM operation_week AS t WHERE ${IN_WEEKS} ${told.joined ? `AND t.edge NOT IN ${COUNTED}` : ''} ${which} GROUP BY edge, operation`

/** Whoever told of it: lines by the week, and what these do not tell. */
function presences(of: Compared, which: { weeks: string; others: string }, having: string): string {
  const rest = others(of.told, which.others).map((part) => `${part} ${having}`)
  const untold = `
    UNION ALL
    SELECT edge, sipHash128(method, path) AS operation, requests, requests_before FROM (${rest.join(' UNION ALL ')})`
  return `
  SELECT lower(hex(edge)) AS edge, lower(hex(operation)) AS operation, requests, requests_before FROM (
    ${weeks(of, which.weeks)} ${having} ${rest.length > 0 ? untold : ''})`
}

/** Operations that an edge has in one of two windows only, whoever told of them; read and grouped in the order in which it is stored. */
export async function oneSidedOperations(client: ClickHouseClient, of: Compared) {
  return await queryColumns<OperationPresence>(
    client,
    `${presences(of, { weeks: '', others: '' }, 'HAVING (requests = 0) != (requests_before = 0)')}
     ORDER BY greatest(requests, requests_before) DESC LIMIT ${CHANGED_OPERATIONS_MAX}`,
    paramsOf(of),
    'ordered',
  )
}

const ids = (name: string) => `arrayMap(id -> toFixedString(unhex(id), 16), {${name}:Array(String)})`
const SOME_EDGES = `t.edge IN (SELECT arrayJoin(${ids('edges')}))`
const asked = (operation: string) => `AND ${SOME_EDGES} AND ${operation} IN (SELECT arrayJoin(${ids('operations')}))`

/** Operations and edges; of any of them that go together there may be an answer. */
export interface Asked {
  edges: string[]
  operations: string[]
}

/** Whether some edges have some operations in two windows. */
export async function presencesOf(client: ClickHouseClient, of: Compared, some: Asked) {
  const which = { weeks: asked('operation'), others: asked(OPERATION) }
  return await queryColumns<OperationPresence>(client, presences(of, which, ''), { ...paramsOf(of), ...some })
}

/** What these operations are, and how often these edges had them. */
export async function operationsOf(client: ClickHouseClient, of: Compared, some: Asked) {
  const isExact = [of.window, of.earlier].every(isOfWholeWeeks)
    ? '1'
    : `min(${isWhole('now')} AND ${isWhole('before')})`
  const rest = others(of.told, asked(OPERATION))
  const untold = `
       UNION ALL
       SELECT edge, ${OPERATION.replace('shape', 'path')} AS operation, requests, requests_before, method, path, 1 AS exact
       FROM (${rest.join(' UNION ALL ')})`
  return await queryColumns<OperationUse>(
    client,
    `SELECT lower(hex(edge)) AS edge, lower(hex(operation)) AS operation, method, path, requests, requests_before, exact FROM (
       ${weeks(of, asked('operation'), `, any(method) AS method, any(shape) AS path, ${isExact} AS exact`)}
       ${rest.length > 0 ? untold : ''})`,
    { ...paramsOf(of), ...some },
  )
}

/**
 * How often edges had operations by the hour, where the weeks do not tell it. Asked for together, edges and paths
 * take four times as long as by themselves.
 */
export async function operationHours(
  client: ClickHouseClient,
  of: Compared,
  some: { edges: string[]; paths: string[] },
) {
  const which = `AND ${SOME_EDGES} AND shape IN {paths:Array(String)}`
  return await queryColumns<OperationPresence>(
    client,
    `SELECT lower(hex(edge)) AS edge, lower(hex(${OPERATION.replace('shape', 'path')})) AS operation, requests, requests_before
     FROM (${usage('hour', 'operation_usage', which)})`,
    { ...paramsOf(of), ...some },
  )
}

/** When edges were first and last seen in all that is stored. */
export async function everSeen(client: ClickHouseClient, edges: string[]) {
  const some = 'edge IN (SELECT toFixedString(unhex(arrayJoin({edges:Array(String)})), 16))'
  return await queryColumns<{ edge: string; first_seen: string; last_seen: string }>(
    client,
    `SELECT lower(hex(edge)) AS edge, ${iso('min(seen.first_seen)')} AS first_seen, ${iso('max(seen.last_seen)')} AS last_seen FROM (
       SELECT edge, first_seen, last_seen FROM edge_usage_day WHERE ${some}
       UNION ALL SELECT edge, first_seen, last_seen FROM (SELECT ${JOINED_EDGE} AS edge, first_seen, last_seen FROM joined_call_hour FINAL WHERE ${STANDS}) WHERE ${some}
       UNION ALL SELECT edge, first_seen, last_seen FROM span_call FINAL WHERE requests > 0 AND ${some}) AS seen GROUP BY edge`,
    { edges },
  )
}
