import type { ClickHouseClient } from '@clickhouse/client'
import type { Change, Occasion } from '../../model/directory.ts'
import { query } from '../store.ts'
import { addressText, IN_WINDOW, ONCE, SINCE, UNTIL } from './directory.ts'
import type { Window } from './rollups.ts'

/*
 * What directory links are made of: the changes of a window, and of a longer one whatever can have led to them.
 */

/** Changes that are linked in one answer. */
export const CHANGES_MAX = 100_000
/** Occasions that are read for them: sign-ins and requests of their actors. */
export const OCCASIONS_MAX = 1_000_000

const TIME_US = (time: string) => `toUnixTimestamp64Micro(${time})`
/** From before the window to behind it, for clocks differ. */
const AROUND = (time: string) =>
  `${time} >= ${SINCE} - toIntervalMicrosecond({lookback:Int64}) AND ${time} < ${UNTIL} + toIntervalMicrosecond({skew:Int64})`
const DONE = `outcome IN ('success', 'unknown')`
const CHANGED = `(SELECT * FROM directory_event FINAL WHERE category = 'change' AND ${DONE} AND ${IN_WINDOW})`
/** How an actor is counted: by its id, else by its name. */
const WHO = `if(actor_id = '', lower(actor_name), actor_id)`

/** Changes of a window that succeeded, the oldest first, each with how long its actor has been doing this. */
export async function directoryChanges(client: ClickHouseClient, { since, until }: Window): Promise<Change[]> {
  return await query<Change>(
    client,
    `SELECT tenant, ${TIME_US('e.time')} AS time_us, source_format AS source, if(event_id = '', hex(e.mark), event_id) AS key, action, toString(e.actor_type) AS actor_type,
       actor_id, actor_name, ${addressText('e.actor_address')} AS address, actor_client AS client, actor_agent AS agent, actor_device AS device, targets, correlations,
       if(j.times = 0, time_us, j.first) AS first_us, toUInt32(arrayCount(t -> t < time_us, j.seen)) AS before
     FROM (SELECT *, said AS mark, ${WHO} AS who FROM directory_event FINAL WHERE category = 'change' AND ${DONE} AND ${IN_WINDOW} ${ONCE}) AS e
     LEFT JOIN (
       SELECT tenant AS t, source_format AS s, who AS w, action AS a, count() AS times, min(${TIME_US('time')}) AS first, groupArraySorted({times:UInt32})(${TIME_US('time')}) AS seen
       FROM (SELECT tenant, source_format, action, time, ${WHO} AS who FROM directory_event FINAL WHERE category = 'change' AND ${DONE} AND actor_type != 'user' AND time < ${UNTIL} ${ONCE})
       GROUP BY t, s, w, a
     ) AS j ON e.tenant = j.t AND e.source_format = j.s AND e.who = j.w AND e.action = j.a
     ORDER BY e.time, key LIMIT {most:UInt32}`,
    { since, until, most: CHANGES_MAX, times: TIMES_MAX },
  )
}

/** So many of the first times of a machine's operation are looked at: enough to tell whether it is usual. */
const TIMES_MAX = 16

/** Since when each source tells anything. */
export async function directoryWatched(
  client: ClickHouseClient,
): Promise<{ tenant: string; source: string; since_us: number }[]> {
  return await query(
    client,
    `SELECT tenant, source_format AS source, ${TIME_US('min(time)')} AS since_us FROM directory_event GROUP BY tenant, source_format`,
  )
}

interface Around extends Record<string, string | number> {
  since: string
  until: string
  /** Microseconds. */
  lookback: number
  skew: number
}

/** Sign-ins and ends of sessions of those who changed something in the window, or that share a correlation with a change. */
export async function directoryOccasions(client: ClickHouseClient, around: Around): Promise<Occasion[]> {
  return await query<Occasion>(
    client,
    `SELECT tenant, toString(e.category) AS kind, ${TIME_US('e.time')} AS time_us, source_format AS source, actor_id, actor_name, ${addressText('e.actor_address')} AS address,
       actor_client AS client, actor_agent AS agent, actor_device AS device, correlations
     FROM (
       SELECT * FROM directory_event FINAL
       WHERE category IN ('sign_in', 'sign_out') AND ${DONE} AND ${AROUND('time')} AND (
         (actor_id != '' AND actor_id IN (SELECT actor_id FROM ${CHANGED}))
         OR (actor_name != '' AND lower(actor_name) IN (SELECT lower(actor_name) FROM ${CHANGED}))
         OR hasAny(arrayMap(c -> c.value, correlations), (SELECT groupUniqArrayArray(arrayMap(c -> c.value, correlations)) FROM ${CHANGED})))
       ${ONCE}
     ) AS e ORDER BY e.time LIMIT {most:UInt32}`,
    { ...around, most: OCCASIONS_MAX },
  )
}

/**
 * Requests that a proxy allowed, of the users who changed something or with a request id that a change carries. The user is what the proxy verified;
 * spans are applications' own word.
 */
export async function requestOccasions(client: ClickHouseClient, around: Around): Promise<Occasion[]> {
  return await query<Occasion>(
    client,
    `SELECT tenant, 'request' AS kind, ${TIME_US('r.time')} AS time_us, 'request' AS source, user_subject AS actor_id, user_subject AS actor_name,
       ${addressText('r.client_address')} AS address, '' AS client, user_agent AS agent, '' AS device,
       if(r.request_id = toUUID('00000000-0000-0000-0000-000000000000'), [], [('request', toString(r.request_id))])::Array(Tuple(kind String, value String)) AS correlations
     FROM request AS r
     WHERE ${AROUND('r.time')} AND decision = 'allowed' AND stage = 'end' AND reporter NOT IN ('span', 'flow') AND status NOT IN (401, 403) AND user_subject != '' AND (
       user_subject IN (SELECT arrayJoin([actor_id, actor_name]) FROM ${CHANGED})
       OR request_id IN (SELECT toUUIDOrDefault(arrayJoin(arrayMap(c -> c.value, arrayFilter(c -> c.kind IN ('request', 'transaction'), correlations)))) FROM ${CHANGED}))
     ORDER BY r.time LIMIT {most:UInt32}`,
    { ...around, most: OCCASIONS_MAX },
  )
}
