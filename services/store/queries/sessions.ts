import type { ClickHouseClient } from '@clickhouse/client'
import { OLDER_S } from '../../model/users.ts'
import { query } from '../store.ts'
import { bounds, type Window, within } from './rollups.ts'

/** One edge's operation at which users come in, and what it would ask of them. */
export interface FrontRow {
  /** Operations that are counted as one; from 1. */
  place: number
  edge: string
  method: string
  shape: string
  path_flags: number
  /** Levels that suffice; none where nothing is asked. */
  levels: string[]
  /** 0 where the age is not asked for. */
  max_age_s: number
  /** Whether its reporter ever tells these of a user. */
  tells_acr: boolean
  tells_age: boolean
}

/** Sessions at a place; place 0 is all places together, where a session counts once. */
export interface SessionRow {
  place: number
  sessions: number
  prompted: number
  /** Not prompted as far as telemetry tells, which of one of its requests does not. */
  uncertain: number
  /** ISO 8601, UTC: the first fact that was counted. */
  since: string
}

/** A user by the sessions in which they would have been asked. */
export interface PromptedUser {
  issuer: string
  subject: string
  sessions: number
}

const STRUCTURE =
  'place UInt32, edge String, method String, shape String, path_flags UInt16, levels Array(String), max_age_s UInt32, tells_acr Bool, tells_age Bool'

/*
 * A session is one authentication of a user, which all tokens of it tell (`auth_time`); where they do not, a user's UTC day.
 * Of many, one in so many is looked at: whichever it is, all of its requests are.
 */
const SESSION =
  "sipHash64(user_issuer, user_subject, if(auth_time = toDateTime(0, 'UTC'), toUInt32(toStartOfDay(time)), toUInt32(auth_time)))"
const LACKS = `(f.tells_acr AND NOT has(f.levels, toString(r.acr))
  OR f.max_age_s > 0 AND f.tells_age AND if(r.user_age_s = 0, ${OLDER_S}, r.user_age_s) > f.max_age_s)`
const REQUESTS = `SELECT f.place AS place, user_issuer, user_subject, ${SESSION} AS session, time,
    notEmpty(f.levels) AND ${LACKS} AS asked, notEmpty(f.levels) AND (NOT f.tells_acr OR f.max_age_s > 0 AND NOT f.tells_age) AS untold
  FROM request AS r
  INNER JOIN (SELECT * FROM format(JSONEachRow, '${STRUCTURE}', {fronts:String})) AS f
    ON r.edge = toFixedString(unhex(f.edge), 16) AND r.method = f.method AND r.shape = f.shape AND r.path_flags = f.path_flags
  WHERE stage = 'end' AND decision != 'denied' AND user_subject != '' AND ${within('time')} AND session % {one_in:UInt32} = 0`

/** The sessions of served requests, from the facts that are still there; counts are of those that were looked at. */
export async function sessionRows(
  client: ClickHouseClient,
  window: Window,
  fronts: readonly FrontRow[],
  oneIn: number,
): Promise<SessionRow[]> {
  return await query<SessionRow>(
    client,
    `SELECT place, count() AS sessions, countIf(asked) AS prompted, countIf(untold AND NOT asked) AS uncertain,
       formatDateTime(min(first), '%FT%TZ') AS since
     FROM (SELECT place, session, max(asked) AS asked, max(untold) AS untold, min(time) AS first FROM (${REQUESTS})
       GROUP BY GROUPING SETS ((place, session), (session)))
     GROUP BY place ORDER BY place`,
    paramsOf(window, fronts, oneIn),
  )
}

/** Whom that would have prompted most. */
export async function promptedUsers(
  client: ClickHouseClient,
  window: Window,
  fronts: readonly FrontRow[],
  oneIn: number,
  usersMax: number,
): Promise<PromptedUser[]> {
  return await query<PromptedUser>(
    client,
    `SELECT user_issuer AS issuer, user_subject AS subject, uniqExact(session) AS sessions FROM (${REQUESTS}) WHERE asked
     GROUP BY issuer, subject ORDER BY sessions DESC, issuer, subject LIMIT {users_max:UInt32}`,
    { ...paramsOf(window, fronts, oneIn), users_max: usersMax },
  )
}

function paramsOf(window: Window, fronts: readonly FrontRow[], oneIn: number) {
  const { since, until } = bounds(window)
  return { since, until, one_in: oneIn, fronts: fronts.map((one) => JSON.stringify(one)).join('\n') }
}
