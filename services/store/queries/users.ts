import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'
import { STANDS } from './joined.ts'
import { bounds, type KeptHours, keptOnly, partialHours, type Window, within } from './rollups.ts'

/** Requests of one class of users on one edge's operation, summed over a window. */
export interface UserRow {
  /** 32 hexadecimal digits, as the operation's row has it. */
  edge: string
  method: string
  shape: string
  path_flags: number
  issuer: string
  acr: string
  /** Seconds; 0 where it is not told. */
  age_s: number
  /** A JSON list. */
  groups: string
  more_groups: boolean
  requests: number
  denied: number
  not_found: number
  /** Hexadecimal: see `distinctUsers`. */
  marks: string
}

/** An edge whose reporter tells of users. */
export interface UserTeller {
  edge: string
  /** ISO 8601, UTC: the first hour in which it told of one. */
  since: string
  /** Whether it ever told that of a user. */
  tells_acr: boolean
  tells_age: boolean
  tells_groups: boolean
}

/** Whose proxy it is that reports an edge: the same one verifies tokens, or does not, on all of its edges. */
const OBSERVER = `tuple(reporter, source_format, sender, cluster,
  if(reporter = 'source', (source_namespace, source_workload, source_principal), (destination_namespace, destination_workload, destination_principal)),
  if(reporter = 'source' OR destination_workload != '' OR destination_principal != '', '', destination_service))`

/**
 * The users of a window's operations, as far as rollups tell. Nothing of edges of which some lines are others' by now
 * (`analyzer/identity`): whose users they were is not known.
 * @param partial as for `operationRows`
 */
export async function userRows(
  client: ClickHouseClient,
  window: Window,
  partial: KeptHours = new Map(),
): Promise<{ users: UserRow[]; tellers: UserTeller[] }> {
  const tellers = await query<UserTeller>(
    client,
    `SELECT lower(hex(e.edge)) AS edge, formatDateTime(o.since, '%FT%TZ') AS since, tells_acr, tells_age, tells_groups
     FROM (SELECT DISTINCT edge, ${OBSERVER} AS observer FROM edge) AS e
     INNER JOIN (
       SELECT ${OBSERVER} AS observer, min(t.since) AS since, max(t.tells_acr) AS tells_acr,
         max(t.tells_age) AS tells_age, max(t.tells_groups) AS tells_groups
       FROM user_teller AS t ANY INNER JOIN edge ON edge.edge = t.edge GROUP BY observer) AS o USING observer
     WHERE e.edge NOT IN (SELECT edge FROM joined_call_hour FINAL WHERE ${within('minute')} AND ${STANDS})`,
    bounds(window),
  )
  if (tellers.length === 0) return { users: [], tellers }
  const users = await query<UserRow>(
    client,
    `SELECT lower(hex(edge)) AS edge, method, shape, path_flags, issuer, acr, age_s, groups, more_groups, sum(u.requests) AS requests,
       sum(u.denied) AS denied, sum(u.not_found) AS not_found, lower(hex(groupBitOr(u.users))) AS marks
     FROM user_usage AS u WHERE ${within('hour')} ${keptOnly(partial.size > 0, 'edge', 'hour')}
     GROUP BY edge, method, shape, path_flags, issuer, acr, age_s, groups, more_groups`,
    { ...bounds(window), ...partialHours(partial) },
  )
  return { users, tellers }
}
