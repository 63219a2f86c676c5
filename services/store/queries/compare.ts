import type { ClickHouseClient } from '@clickhouse/client'
import { type Params, queryColumns } from '../store.ts'
import { JOINED_EDGE, joinedCalls, STANDS, takenOperations } from './joined.ts'
import { bounds, type Window } from './rollups.ts'

/** An operation of an edge in two windows. */
export interface OperationPresence {
  edge: string
  method: string
  path: string
  /** Refused ones included. */
  requests: number
  requests_before: number
}

/** Operations that are looked at: those used most, where more changed. */
export const CHANGED_OPERATIONS_MAX = 200_000

function paramsOf(window: Window, earlier: Window): Params {
  const [now, before] = [bounds(window), bounds(earlier)]
  return { since: now.since, until: now.until, since_before: before.since, until_before: before.until }
}

const now = (column: string) => `${column} >= {since:DateTime('UTC')} AND ${column} < {until:DateTime('UTC')}`
const before = (column: string) =>
  `${column} >= {since_before:DateTime('UTC')} AND ${column} < {until_before:DateTime('UTC')}`

const either = (column: string) => `(${now(column)} OR ${before(column)})`

const presence = (time: string, table: string, which: string) => `
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

/** Whoever told of it: lines less what was joined, joined calls, and spans. */
const presences = (which: string, having: string) =>
  [
    presence('hour', 'operation_usage', `AND t.edge NOT IN ${COUNTED} ${which}`),
    presence('hour', UNTAKEN, which),
    presence('hour', JOINED, which),
    presence('minute', SPAN_CALLS, which),
  ]
    .map((part) => `${part} ${having}`)
    .join(' UNION ALL ')

/**
 * Operations that an edge has in one of two windows only, whoever told of them. Usage is read and summed in the order in which it is
 * stored, and what both windows have is left behind at once.
 */
export async function oneSidedOperations(client: ClickHouseClient, window: Window, earlier: Window) {
  return await queryColumns<OperationPresence>(
    client,
    `SELECT lower(hex(edge)) AS edge, method, path, requests, requests_before
     FROM (${presences('', 'HAVING (requests = 0) != (requests_before = 0)')})
     ORDER BY greatest(requests, requests_before) DESC LIMIT ${CHANGED_OPERATIONS_MAX}`,
    paramsOf(window, earlier),
    'ordered',
  )
}

/** How often some edges had any of some operations in two windows. */
export async function operationsOf(
  client: ClickHouseClient,
  window: Window,
  earlier: Window,
  asked: { edges: string[]; paths: string[] },
) {
  const which =
    'AND t.edge IN (SELECT toFixedString(unhex(arrayJoin({edges:Array(String)})), 16)) AND shape IN {paths:Array(String)}'
  return await queryColumns<OperationPresence>(
    client,
    `SELECT lower(hex(edge)) AS edge, method, path, requests, requests_before FROM (${presences(which, '')})`,
    { ...paramsOf(window, earlier), ...asked },
  )
}

/** When edges were first and last seen in all that is stored. */
export async function everSeen(client: ClickHouseClient, edges: string[]) {
  const some = 'edge IN (SELECT toFixedString(unhex(arrayJoin({edges:Array(String)})), 16))'
  const iso = (time: string) => `formatDateTime(${time}, '%FT%T.%fZ')`
  return await queryColumns<{ edge: string; first_seen: string; last_seen: string }>(
    client,
    `SELECT lower(hex(edge)) AS edge, ${iso('min(seen.first_seen)')} AS first_seen, ${iso('max(seen.last_seen)')} AS last_seen FROM (
       SELECT edge, first_seen, last_seen FROM edge_usage_day WHERE ${some}
       UNION ALL SELECT edge, first_seen, last_seen FROM (SELECT ${JOINED_EDGE} AS edge, first_seen, last_seen FROM joined_call_hour FINAL WHERE ${STANDS}) WHERE ${some}
       UNION ALL SELECT edge, first_seen, last_seen FROM span_call FINAL WHERE requests > 0 AND ${some}) AS seen GROUP BY edge`,
    { edges },
  )
}
