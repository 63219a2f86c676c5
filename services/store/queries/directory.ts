import type { ClickHouseClient } from '@clickhouse/client'
import type { DirectoryCategory, DirectoryEvent } from '../../model/directory.ts'
import { query } from '../store.ts'
import type { Window } from './rollups.ts'

export const SINCE = "parseDateTime64BestEffort({since:String}, 6, 'UTC')"
export const UNTIL = "parseDateTime64BestEffort({until:String}, 6, 'UTC')"
/** The events of a window, by the hour first: so they are ordered. */
export const IN_WINDOW = `toStartOfHour(time) >= toStartOfHour(${SINCE}) AND time >= ${SINCE} AND time < ${UNTIL}`

/** An event counts once, by whatever ways it came: see the table. */
export const ONCE = 'LIMIT 1 BY tenant, source_format, event_id, said'

/** An address as people write it; '' where none was told. */
export const addressText = (address: string) =>
  `if(${address} = toIPv6('::'), '', replaceRegexpOne(toString(${address}), '^::ffff:', ''))`

const EVENT = `formatDateTime(e.time, '%FT%T.%fZ') AS time, time_told, source_format AS source, cluster, event_id, toString(e.category) AS category, action,
  toString(e.outcome) AS outcome, reason, actor_id, toString(e.actor_type) AS actor_type, actor_name,
  ${addressText('e.actor_address')} AS actor_address, actor_client, actor_agent, actor_device,
  targets, changes, correlations`

/** What is asked for of a window's events. */
export interface AskedEvents {
  source?: string | undefined
  category?: DirectoryCategory | undefined
  /** An actor's or target's id or name, as the system writes it. */
  about?: string | undefined
  limit: number
}

export const DIRECTORY_EVENTS_MAX = 10_000

/** The newest events of a window, and how many there are in all. */
export async function directoryEvents(
  client: ClickHouseClient,
  { since, until }: Window,
  { source = '', category, about = '', limit }: AskedEvents,
): Promise<{ events: DirectoryEvent[]; total: number }> {
  const asked = `${IN_WINDOW} AND ({source:String} = '' OR source_format = {source:String}) AND ({category:String} = '' OR toString(category) = {category:String})
    AND ({about:String} = '' OR {about:String} IN (actor_id, actor_name) OR arrayExists(t -> {about:String} IN (t.id, t.name), targets))`
  const params = { since, until, source, category: category ?? '', about }
  const once = (columns: string) => `SELECT ${columns} FROM directory_event FINAL WHERE ${asked} ${ONCE}`
  const [count] = await query<{ total: number }>(client, `SELECT count() AS total FROM (${once('1')})`, params)
  const events = await query<DirectoryEvent>(
    client,
    `SELECT ${EVENT} FROM (${once('*')}) AS e ORDER BY e.time DESC, event_id LIMIT {limit:UInt32}`,
    { ...params, limit: Math.min(limit, DIRECTORY_EVENTS_MAX) },
  )
  return { events, total: count?.total ?? 0 }
}

/** From the first to behind the last event, in whole hours; undefined where there is none. */
export async function directoryWindow(client: ClickHouseClient): Promise<Window | undefined> {
  const [row] = await query<Window & { events: number }>(
    client,
    `SELECT count() AS events, formatDateTime(toStartOfHour(min(time)), '%FT%TZ') AS since, formatDateTime(toStartOfHour(max(time)) + INTERVAL 1 HOUR, '%FT%TZ') AS until
     FROM directory_event`,
  )
  return row && row.events > 0 ? { since: row.since, until: row.until } : undefined
}
