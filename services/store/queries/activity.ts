import type { ClickHouseClient } from '@clickhouse/client'
import { type Params, query } from '../store.ts'

/** Kinds of entities whose activity is kept. */
export type ActiveKind = 'user' | 'workload'

/** What was seen of an entity on one day, in one dimension. */
export interface ActivityRow {
  /** Of a user `issuer subject`; of a workload its principal. */
  entity: string
  dimension: string
  value: string
  times: number
}

/** An entity's day as a whole. */
export interface DayRow {
  entity: string
  /** Milliseconds since 1970. */
  last_ms: number
  /** The latest phishing-resistant login that was used after it, 0 for none: milliseconds. */
  stepped_up_ms: number
  bytes_out: number
}

/** How often an entity did something before, each day with the weight of its age. */
export interface HabitRow extends ActivityRow {
  /** Days on which it was seen, in the whole of the entity's history. */
  days: number
}

/** An issuer is a URL and has no space, so no subject of another issuer comes to the same text. */
const USERS = `SELECT concat(user_issuer, ' ', user_subject) AS entity, day, hour, login, ${callee()} AS callee, method, shape,
    if(network = toIPv6('::'), '', replaceOne(toString(network), '::ffff:', '')) AS net, replaceRegexpAll(user_agent, '[0-9][0-9.]*', '*') AS agent,
    acr, requests, denied, bytes_out, first_seen, last_seen, updated, loaded
  FROM user_activity`

/** Workloads by what their certificates say, which the callee's proxy verified. */
const WORKLOADS = `SELECT e.source_principal AS entity, toDate(u.hour) AS day,
    toUInt8(intDiv(toUnixTimestamp(u.hour) + 259200, 3600) % 168) AS hour, toDateTime(0, 'UTC') AS login, ${callee('e.')} AS callee, u.method AS method, u.shape AS shape,
    '' AS net, '' AS agent, '' AS acr, u.requests AS requests, u.denied AS denied, toUInt64(0) AS bytes_out, u.first_seen AS first_seen,
    u.last_seen AS last_seen, toDateTime(u.last_seen, 'UTC') AS updated, u.loaded AS loaded
  FROM operation_usage AS u INNER JOIN (SELECT * FROM edge WHERE source_evidence = 'verified' AND source_principal != '' LIMIT 1 BY edge) AS e ON u.edge = e.edge`

function callee(of = ''): string {
  const [namespace, workload, service] = ['namespace', 'workload', 'service'].map((name) => `${of}destination_${name}`)
  return `if(${workload} = '', ${service}, concat(${namespace}, '/', ${workload}))`
}

/** Days are of one month at most two: the hour lets the engine skip the others. */
const DAYS = 'day >= {since:Date} AND day < {until:Date}'
const SOURCE: Record<ActiveKind, (days: boolean) => string> = {
  user: (days) => (days ? `(${USERS} WHERE ${DAYS})` : `(${USERS})`),
  workload: (days) =>
    days
      ? `(${WORKLOADS} WHERE u.hour >= toDateTime({since:Date}, 'UTC') AND u.hour < toDateTime({until:Date}, 'UTC'))`
      : `(${WORKLOADS})`,
}

const ALL = 'requests + denied'
/** Each row's values; what is not told is left out. */
const DIMENSIONS = `arrayJoin(arrayFilter(one -> one.2 != '' AND one.3 > 0, [
  ('callee', callee, ${ALL}), ('operation', concat(callee, ' ', method, ' ', shape), ${ALL}), ('network', net, ${ALL}), ('agent', agent, ${ALL}),
  ('acr', acr, ${ALL}), ('hour', toString(hour), ${ALL}), ('outcome', 'denied', denied), ('outcome', 'served', requests)]))`

const HELD = `(entity, day) NOT IN (
  SELECT entity, day FROM risk_day FINAL WHERE tenant = '' AND kind = {kind:String} AND day >= {since:Date} AND day < {until:Date} AND level >= 'MEDIUM')`
const WEIGHT = "exp2(-dateDiff('day', day, {until:Date}) / {half_life:Float64})"

/** What came after a day was judged: of users by when it was loaded, of workloads by when it was. */
const NEWER: Record<ActiveKind, string> = {
  user: 'a.last_updated >= r.last_judged - INTERVAL 1 SECOND',
  workload: 'a.seen_until >= r.known_until + INTERVAL 1 MILLISECOND',
}

/**
 * Entities by day that have something which was not judged yet, the earliest days first.
 * @param sinceS seconds since 1970: what was loaded before is passed over
 */
export async function changedDays(
  client: ClickHouseClient,
  kind: ActiveKind,
  sinceS: number,
): Promise<{ day: string; entities: string[] }[]> {
  const loaded =
    kind === 'user'
      ? "updated >= toDateTime({since_s:UInt32}, 'UTC')"
      : "loaded >= toDate(toDateTime({since_s:UInt32}, 'UTC'))"
  return await query(
    client,
    `SELECT toString(day) AS day, groupArray(entity) AS entities FROM (
       SELECT a.day AS day, a.entity AS entity FROM (
         SELECT day, entity, max(updated) AS last_updated, max(last_seen) AS seen_until FROM ${SOURCE[kind](false)} WHERE ${loaded} GROUP BY day, entity) AS a
       LEFT ANY JOIN (
         SELECT day, entity, max(judged) AS last_judged, argMax(last_seen, judged) AS known_until FROM risk_day
         WHERE tenant = '' AND kind = {kind:String} GROUP BY day, entity) AS r ON a.day = r.day AND a.entity = r.entity
       WHERE ${NEWER[kind]})
     GROUP BY day ORDER BY day`,
    { kind, since_s: sinceS },
    'jobs',
  )
}

interface AskedDay {
  kind: ActiveKind
  /** `2026-11-22`. */
  day: string
  entities: string[]
}

/** What these entities did on a day since they were last vouched for: by dimension, and as a whole. */
export async function dayOf(
  client: ClickHouseClient,
  asked: AskedDay,
  vouched: ReadonlyMap<string, number>,
): Promise<{ rows: ActivityRow[]; days: DayRow[] }> {
  const params: Params = {
    ...{ since: asked.day, until: dayAfter(asked.day), entities: asked.entities },
    vouched_ms: asked.entities.map((entity) => vouched.get(entity) ?? 0),
  }
  const source = `(SELECT *, greatest(
      transform(entity, {entities:Array(String)}, {vouched_ms:Array(Int64)}, toInt64(0)),
      maxIf(toInt64(toUnixTimestamp(login)) * 1000, acr IN ('phr', 'phrh') AND requests > 0 AND login <= first_seen) OVER (PARTITION BY entity)) AS vouched_at
    FROM ${SOURCE[asked.kind](true)} WHERE entity IN {entities:Array(String)})`
  const days = await query<DayRow>(
    client,
    `SELECT entity, max(toUnixTimestamp64Milli(toDateTime64(last_seen, 3, 'UTC'))) AS last_ms, max(vouched_at) AS stepped_up_ms,
       sumIf(bytes_out, toUnixTimestamp64Milli(toDateTime64(last_seen, 3, 'UTC')) > vouched_at) AS bytes_out FROM ${source} GROUP BY entity`,
    params,
    'jobs',
  )
  const rows = await query<ActivityRow>(
    client,
    `SELECT entity, one.1 AS dimension, one.2 AS value, sum(one.3) AS times
     FROM (SELECT entity, ${DIMENSIONS} AS one FROM ${source} WHERE toUnixTimestamp64Milli(toDateTime64(last_seen, 3, 'UTC')) > vouched_at)
     GROUP BY entity, dimension, value`,
    params,
    'jobs',
  )
  return { rows, days }
}

/** How a past is read: days before one, by the weight of their age. */
export interface Past {
  kind: ActiveKind
  /** The day that is judged, which is not part of it. */
  until: string
  daysMax: number
  halfLifeDays: number
}

const pastParams = ({ kind, until, daysMax, halfLifeDays }: Past): Params => ({
  ...{ kind, until, since: daysBefore(until, daysMax), half_life: halfLifeDays },
})

/** What these entities usually do, learned from days that were not suspicious. */
export async function habits(client: ClickHouseClient, past: Past, entities: string[]): Promise<HabitRow[]> {
  return await query(
    client,
    `SELECT entity, one.1 AS dimension, one.2 AS value, sum(one.3 * weight) AS times, any(days) AS days
     FROM (SELECT entity, ${WEIGHT} AS weight, uniqExact(day) OVER (PARTITION BY entity) AS days, ${DIMENSIONS} AS one
       FROM ${SOURCE[past.kind](true)} WHERE entity IN {entities:Array(String)} AND ${HELD})
     GROUP BY entity, dimension, value`,
    { ...pastParams(past), entities },
    'jobs',
  )
}

/** What all entities of a kind usually do: the most usual values of each dimension. */
export async function population(
  client: ClickHouseClient,
  past: Past,
  valuesMax: number,
): Promise<Omit<ActivityRow, 'entity'>[]> {
  return await query(
    client,
    `SELECT one.1 AS dimension, one.2 AS value, sum(one.3 * weight) AS times
     FROM (SELECT ${WEIGHT} AS weight, ${DIMENSIONS} AS one FROM ${SOURCE[past.kind](true)} WHERE ${HELD})
     GROUP BY dimension, value ORDER BY times DESC LIMIT {values_max:UInt32} BY dimension`,
    { ...pastParams(past), values_max: valuesMax },
    'jobs',
  )
}

/** Bytes that were sent to each of these users, by the day. */
export async function volumes(
  client: ClickHouseClient,
  past: Past,
  entities: string[],
): Promise<{ entity: string; bytes: number[] }[]> {
  return await query(
    client,
    `SELECT entity, groupArray(bytes) AS bytes FROM (
       SELECT entity, day, sum(bytes_out) AS bytes FROM ${SOURCE[past.kind](true)} WHERE entity IN {entities:Array(String)} AND ${HELD} GROUP BY entity, day)
     GROUP BY entity`,
    { ...pastParams(past), entities },
    'jobs',
  )
}

const DAY_MS = 86_400_000
export const daysBefore = (day: string, days: number) =>
  new Date(Date.parse(`${day}T00:00:00Z`) - days * DAY_MS).toISOString().slice(0, 10)
export const dayAfter = (day: string) => daysBefore(day, -1)
