import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'
import { JOINED_EDGE, STANDS } from './joined.ts'
import { iso, SPAN_EDGE } from './rollups.ts'

/** One path and method of a callee over all edges that lead to it. */
export interface CalleePath {
  method: string
  shape: string
  /** Of all of its requests. */
  path_flags: number
  /** Requests that were served: neither refused nor answered that there is nothing. */
  requests: number
  /** Edges that such requests came by, of 32 hexadecimal digits. */
  edges: string[]
  /** ISO 8601, UTC. */
  first_seen: string
}

/**
 * The distinct paths that were asked for on some edges, most requested first.
 * @param max so many at most; of those with equally many requests a hash draws, so that no name is preferred
 */
export async function calleePaths(
  client: ClickHouseClient,
  edges: string[],
  max: number,
): Promise<{ paths: CalleePath[]; leftOut: number }> {
  const bound = { edges, max }
  const paths = await query<CalleePath>(
    client,
    `SELECT method, shape, groupBitOr(flags) AS path_flags, sum(n) AS requests, arrayDistinct(groupArrayIf(lower(hex(edge)), n > 0)) AS edges,
       ${iso('min(first)')} AS first_seen
     FROM (${PATHS}) GROUP BY method, shape ORDER BY requests DESC, cityHash64(method, shape), shape LIMIT {max:UInt32}`,
    bound,
    'jobs',
  )
  if (paths.length < max) return { paths, leftOut: 0 }
  const [all] = await query<{ n: number }>(
    client,
    `SELECT uniqExact(sipHash64(method, shape)) AS n FROM (${PATHS})`,
    bound,
    'jobs',
  )
  return { paths, leftOut: Math.max(0, (all?.n ?? 0) - paths.length) }
}

const ASKED = 'edge IN (SELECT unhex(arrayJoin({edges:Array(String)})))'
const PATHS = `
  SELECT edge, method, shape, flags, greatest(sum(u.served), 0) AS n, min(u.seen) AS first FROM (
    SELECT edge, method, shape, path_flags AS flags, toInt64(requests) - toInt64(not_found) AS served, first_seen AS seen
    FROM operation_usage WHERE ${ASKED}
    UNION ALL
    SELECT edge, method, shape, path_flags AS flags, toInt64(lines_not_found) - toInt64(lines) AS served, first_seen AS seen
    FROM joined_call_hour FINAL WHERE ${ASKED} AND ${STANDS}
    UNION ALL
    SELECT joined_edge AS edge, method, shape, flags, served, seen FROM (
      SELECT ${JOINED_EDGE} AS joined_edge, method, shape, path_flags AS flags, toInt64(requests) - toInt64(not_found) AS served, first_seen AS seen
      FROM joined_call_hour FINAL WHERE ${STANDS}) WHERE joined_${ASKED}
  ) AS u GROUP BY edge, method, shape, flags
  UNION ALL
  SELECT ${SPAN_EDGE} AS edge, method, shape, path_flags AS flags, sum(c.requests) - sum(c.not_found) AS n, min(c.first_seen) AS first
  FROM span_call AS c FINAL WHERE ${ASKED} GROUP BY edge, method, shape, path_flags HAVING sum(c.requests) > 0`
