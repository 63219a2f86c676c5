import { CinchError } from '../model/errors.ts'
import type { Window } from '../store/queries/rollups.ts'

/** What a user asks for: ISO 8601 times, or a span back from now such as `24h` or `35d`; absent means all that is stored. */
export interface AskedWindow {
  since?: string | undefined
  until?: string | undefined
}

export interface AskedGraph extends AskedWindow {
  /** Leaves out probes, scrapers and monitors, and says which. */
  hideNoise?: boolean
}

const HOUR_MS = 3_600_000
const UNIT_MS: Record<string, number> = { m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS, w: 7 * 24 * HOUR_MS }

/**
 * The half-open window in whole hours, as the rollups have it: its start rounded down, its end up.
 * @throws CinchError `bad_time` for what is no time, or an end before the start
 */
export function resolveWindow(asked: AskedWindow, stored: Window | undefined, now = Date.now()): Window {
  const since = asked.since ? timeOf(asked.since, now) : Date.parse(stored?.since ?? '1970-01-01T00:00:00Z')
  const until = asked.until ? timeOf(asked.until, now) : Date.parse(stored?.until ?? '1970-01-01T01:00:00Z')
  if (asked.since && asked.until && until <= since)
    throw new CinchError(
      'bad_time',
      `--until ${asked.until} is not after --since ${asked.since}`,
      'give an earlier --since or a later --until',
    )
  // An end before all that is stored is an empty window, not the first hour of what is.
  const first = until > since || asked.since ? since : Math.max(0, until - HOUR_MS)
  const start = Math.floor(first / HOUR_MS) * HOUR_MS
  return { since: iso(start), until: iso(Math.max(Math.ceil(until / HOUR_MS) * HOUR_MS, start + HOUR_MS)) }
}

/** Milliseconds since 1970 of a time or a span back from now. ClickHouse's `DateTime` holds 1970 to 2105. @throws CinchError `bad_time` */
export function timeOf(text: string, now: number): number {
  const back = /^(\d{1,6})([mhdw])$/.exec(text)
  const time = back ? now - Number(back[1]) * (UNIT_MS[back[2] ?? ''] ?? 0) : parseDate(text)
  if (Number.isNaN(time) || time < 0 || time > Date.UTC(2105, 0, 1)) {
    throw new CinchError(
      'bad_time',
      `'${text}' is no time`,
      'give an ISO 8601 time such as 2026-11-22T10:00:00Z, or a span back from now such as 24h or 35d',
    )
  }
  return time
}

const ISO_TIME = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/

/** ISO 8601 only, UTC where no zone is given: the same text means the same wherever the process runs. NaN for what is no time. */
function parseDate(text: string): number {
  const [, day, clock, , , zone] = ISO_TIME.exec(text) ?? []
  // Date.parse takes February 30 for March 2.
  if (!day || Number.isNaN(Date.parse(day)) || !new Date(day).toISOString().startsWith(day)) return Number.NaN
  return Date.parse(clock && !zone ? `${text}Z` : text)
}

const iso = (time: number) => new Date(time).toISOString().replace('.000Z', 'Z')
