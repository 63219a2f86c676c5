import type { ClickHouseClient } from '@clickhouse/client'
import type { Expectation } from '../../model/chain.ts'
import { insertRows, LIMITS, query, run } from '../store.ts'
import type { Window } from './rollups.ts'
import type { MinuteRange } from './spans.ts'

/** Chains of one root operation, shape and set of gaps that began in a minute. `minute`: milliseconds, `…_seen`: microseconds since 1970. */
export interface ChainRow {
  minute: number
  root_callee: string
  root_method: string
  root_path: string
  /** '' where a chain is too broken to have one. */
  shape: string
  /** JSON list of `[kind, caller, callee, operation]`; '' for none. */
  gaps: string
  chains: number
  asynchronous: number
  hops: number
  fan_out: number
  first_seen: number
  last_seen: number
  samples: string[]
  /** 1 where every chain was looked at, else how many each of those that were stands for. */
  weight: number
}

export interface ExpectationRow extends Expectation {
  /** Milliseconds since 1970. */
  minute: number
}

export interface StoredShape {
  id: string
  calls: number
  /** JSON of a `ShapeCall`. */
  tree: string
}

const CHAIN_STRUCTURE =
  `minute UInt32, root_callee String, root_method String, root_path String, shape String, gaps String, chains UInt64, asynchronous UInt64,
  hops UInt64, fan_out UInt32, first_seen Decimal64(6), last_seen Decimal64(6), samples Array(String), weight UInt32, version UInt64`.replace(
    /\s+/g,
    ' ',
  )
const EXPECTATION_STRUCTURE =
  'minute UInt32, kind String, caller String, callee String, operation String, met UInt64, unmet UInt64, version UInt64'

const CHAIN_KEY = 'minute, root_callee, root_method, root_path, shape, gaps'
const EXPECTATION_KEY = 'minute, kind, caller, callee, operation'
const IN_RANGE = "minute >= {since:DateTime('UTC')} AND minute < {until:DateTime('UTC')}"

/**
 * Writes the chains of whole minutes anew. What stood there and is no longer found becomes zero: first the zeros, then what was
 * found, under a later version, so a job that is killed in between is made good by its repetition.
 */
export async function writeChains(
  client: ClickHouseClient,
  range: MinuteRange,
  rows: ChainRow[],
  expectations: ExpectationRow[],
  version: number,
): Promise<void> {
  const bounds = { since: range.since / 1000, until: range.until / 1000, version }
  await run(
    client,
    `INSERT INTO chain_minute (${CHAIN_KEY}, first_seen, last_seen, version)
     SELECT ${CHAIN_KEY}, first_seen, last_seen, {version:UInt64} FROM chain_minute FINAL WHERE ${IN_RANGE} AND chains > 0 SETTINGS ${LIMITS.jobs}`,
    bounds,
  )
  await run(
    client,
    `INSERT INTO chain_expectation (${EXPECTATION_KEY}, version)
     SELECT ${EXPECTATION_KEY}, {version:UInt64} FROM chain_expectation FINAL WHERE ${IN_RANGE} AND met + unmet > 0 SETTINGS ${LIMITS.jobs}`,
    bounds,
  )
  await insertRows(
    client,
    'chain_minute',
    CHAIN_STRUCTURE,
    rows.map((row) => ({
      ...row,
      minute: row.minute / 1000,
      first_seen: seconds(row.first_seen),
      last_seen: seconds(row.last_seen),
      version: version + 1,
    })),
  )
  const counted = expectations.map((row) => ({ ...row, minute: row.minute / 1000, version: version + 1 }))
  await insertRows(client, 'chain_expectation', EXPECTATION_STRUCTURE, counted)
}

export async function writeShapes(client: ClickHouseClient, shapes: StoredShape[]): Promise<void> {
  await insertRows(
    client,
    'chain_shape',
    'shape String, calls UInt32, tree String',
    shapes.map(({ id, calls, tree }) => ({ shape: id, calls, tree })),
  )
}

/** Ids in one statement: each of 16 characters. */
const IDS_MAX = 4_000

/** Which of the given shapes are kept, and how many are in all. */
export async function keptShapes(
  client: ClickHouseClient,
  ids: readonly string[],
): Promise<{ known: Set<string>; kept: number }> {
  const [row] = await query<{ kept: number }>(client, 'SELECT uniqExact(shape) AS kept FROM chain_shape', {}, 'jobs')
  const known = new Set<string>()
  for (let from = 0; from < ids.length; from += IDS_MAX) {
    const some = ids.slice(from, from + IDS_MAX)
    const found = await query<{ shape: string }>(
      client,
      'SELECT DISTINCT shape FROM chain_shape WHERE shape IN {ids:Array(String)}',
      { ids: some },
      'jobs',
    )
    for (const { shape } of found) known.add(shape)
  }
  return { known, kept: row?.kept ?? 0 }
}

/** Microseconds as the engine reads a `DateTime64`: seconds with six decimals. */
const seconds = (us: number) => `${Math.floor(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, '0')}`

const iso = (time: string) => `concat(formatDateTime(${time}, '%Y-%m-%dT%H:%i:%S.%f', 'UTC'), 'Z')`
const WINDOW = 'minute >= parseDateTimeBestEffort({since:String}) AND minute < parseDateTimeBestEffort({until:String})'

/** A window's chains by root operation, shape and set of gaps. */
export interface ChainCount extends Omit<ChainRow, 'minute' | 'first_seen' | 'last_seen'> {
  /** ISO 8601, UTC. */
  first_seen: string
  last_seen: string
}

/** The most frequent `limit` of a window. @param root part of the root operation, `namespace/workload METHOD /path`; '' for all */
export async function chainCounts(
  client: ClickHouseClient,
  window: Window,
  root: string,
  limit: number,
): Promise<ChainCount[]> {
  return await query<ChainCount>(
    client,
    `SELECT root_callee, root_method, root_path, shape, gaps, sum(c.chains) AS chains, sum(c.asynchronous) AS asynchronous, sum(c.hops) AS hops,
       max(c.fan_out) AS fan_out, ${iso('min(c.first_seen)')} AS first_seen, ${iso('max(c.last_seen)')} AS last_seen,
       arraySlice(arraySort(groupUniqArrayArray(10)(c.samples)), 1, 3) AS samples, max(c.weight) AS weight
     FROM chain_minute AS c FINAL
     WHERE ${WINDOW} AND c.chains > 0 AND ({root:String} = '' OR position(concat(root_callee, ' ', root_method, ' ', root_path), {root:String}) > 0)
     GROUP BY root_callee, root_method, root_path, shape, gaps
     ORDER BY chains DESC, root_callee, root_method, root_path, shape, gaps LIMIT {limit:UInt32}`,
    { ...window, root, limit },
  )
}

/** All chains of a window, whatever the limit of `chainCounts` left out. */
export async function chainTotal(client: ClickHouseClient, window: Window, root: string): Promise<number> {
  const [row] = await query<{ chains: number }>(
    client,
    `SELECT sum(c.chains) AS chains FROM chain_minute AS c FINAL
     WHERE ${WINDOW} AND ({root:String} = '' OR position(concat(root_callee, ' ', root_method, ' ', root_path), {root:String}) > 0)`,
    { ...window, root },
  )
  return row?.chains ?? 0
}

export async function expectations(client: ClickHouseClient, window: Window): Promise<Expectation[]> {
  return await query<Expectation>(
    client,
    `SELECT kind, caller, callee, operation, sum(e.met) AS met, sum(e.unmet) AS unmet FROM chain_expectation AS e FINAL
     WHERE ${WINDOW} GROUP BY kind, caller, callee, operation HAVING met + unmet > 0`,
    { ...window },
  )
}

/** The shapes of the given ids, and when each was first seen, ever. */
export async function shapesOf(
  client: ClickHouseClient,
  ids: string[],
): Promise<(StoredShape & { first_seen: string })[]> {
  if (ids.length === 0) return []
  return await query(
    client,
    `SELECT shape AS id, calls, tree, first_seen FROM (SELECT shape, any(s.calls) AS calls, any(s.tree) AS tree FROM chain_shape AS s WHERE shape IN {ids:Array(String)} GROUP BY shape) AS known
     LEFT JOIN (SELECT shape, ${iso('min(c.first_seen)')} AS first_seen FROM chain_minute AS c FINAL WHERE shape IN {ids:Array(String)} AND c.chains > 0 GROUP BY shape) AS seen USING shape`,
    { ids },
  )
}

/** The first and last minute that has chains; undefined where there are none. */
export async function chainWindow(client: ClickHouseClient): Promise<Window | undefined> {
  const [row] = await query<Window & { rows: number }>(
    client,
    `SELECT count() AS rows, ${iso('min(c.minute)')} AS since, ${iso('max(c.minute) + INTERVAL 1 MINUTE')} AS until FROM chain_minute AS c FINAL WHERE c.chains > 0`,
  )
  return row && row.rows > 0 ? { since: row.since, until: row.until } : undefined
}
