import { byText } from '../../model/order.ts'
import type { CalleeHourRow, LoggedRow } from '../../store/queries/metric-rollups.ts'
import type { Parties } from '../graph/parties.ts'
import { calleeAliases } from './aliases.ts'

/** Requests to one callee in one hour: those in the access logs beside those that the proxies counted. */
export interface Completeness {
  /** ISO 8601, UTC. */
  hour: string
  /** Node id of the callee. */
  callee: string
  /** Whose logs and counters: the callee's own proxy, or those of its callers. */
  reporter: string
  measure: 'requests' | 'connections'
  logs: number
  metrics: number
  /** Share of the counted requests that no log tells of, 0 to 1: a filter, sampling, or logs that did not come. */
  missing: number
  /** Longest time between two samples of the counters, in seconds: within it, the hour's counts are spread evenly. */
  gap_s: number
}

/**
 * Holds logs against counters: a row for each callee and hour that counters tell of. Logs may tell more than counters do (a proxy
 * that is not scraped, a counter that was seen for the first time); then nothing is missing.
 *
 * It does not see what neither tells: requests around the proxies, and callees whose counters are not collected.
 */
export function compareCounts(
  logged: readonly LoggedRow[],
  counted: readonly CalleeHourRow[],
  parties: Parties,
): Completeness[] {
  const rows = logged.map((row) => ({ row, callee: parties.destination(row).id }))
  const known = new Set(rows.map(({ callee }) => callee))
  const byKey = Map.groupBy(rows, ({ row, callee }) => keyOf(row, callee))
  const logs = new Map([...byKey].map(([key, of]) => [key, countOnce(of.map(({ row }) => row))]))
  const found = new Map<string, Completeness>()
  for (const row of counted) {
    const aliases = calleeAliases(row, parties)
    const callee = (aliases.find((node) => known.has(node.id)) ?? aliases[0])?.id ?? ''
    const key = keyOf(row, callee)
    const entry = found.get(key) ?? {
      ...{ hour: row.hour, callee, reporter: row.reporter, measure: row.measure },
      ...{ logs: logs.get(key) ?? 0, metrics: 0, missing: 0, gap_s: 0 },
    }
    entry.metrics += row.requests
    entry.gap_s = Math.max(entry.gap_s, row.gap_s)
    found.set(key, entry)
  }
  return [...found.values()].map(withShare).sort((a, b) => byText(sortKey(a), sortKey(b)))
}

/** Channels with the same least mark told of the same requests: they count once, by the one that told of most. The others add up. */
function countOnce(rows: readonly LoggedRow[]): number {
  const channels = [...Map.groupBy(rows, ({ channel }) => channel)].map(([channel, of]) => {
    const mark = Math.min(...of.map((row) => row.mark))
    return { same: mark === 0 ? channel : mark, requests: of.reduce((sum, row) => sum + row.requests, 0) }
  })
  const told = [...Map.groupBy(channels, ({ same }) => same).values()]
  return told.reduce((sum, of) => sum + Math.max(...of.map(({ requests }) => requests)), 0)
}

/** The same over all hours of a window, the most missing first. `hour` is the first that counters tell of. */
export function sumByCallee(rows: readonly Completeness[]): Completeness[] {
  const sums = new Map<string, Completeness>()
  for (const row of rows) {
    const key = JSON.stringify([row.callee, row.reporter, row.measure])
    const sum = sums.get(key)
    if (!sum) sums.set(key, { ...row })
    else {
      sum.logs += row.logs
      sum.metrics += row.metrics
      sum.gap_s = Math.max(sum.gap_s, row.gap_s)
    }
  }
  return [...sums.values()].map(withShare).sort((a, b) => b.missing - a.missing || byText(sortKey(a), sortKey(b)))
}

const withShare = (row: Completeness): Completeness => ({ ...row, missing: Math.max(0, 1 - row.logs / row.metrics) })
const keyOf = (row: CalleeHourRow, callee: string) => JSON.stringify([row.hour, callee, row.reporter, row.measure])
const sortKey = ({ hour, callee, reporter, measure }: Completeness) => [hour, callee, reporter, measure].join(' ')
