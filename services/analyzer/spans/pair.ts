import {
  childMinutesOfLongSpans,
  dirtyMinutes,
  type MinuteRange,
  markPaired,
  writeCalls,
} from '../../store/queries/spans.ts'
import type { Store } from '../../store/store.ts'

/** Minutes that one statement pairs: bounds its memory (a minute of 270,000 spans takes some 0.4 s). */
const RANGE_MINUTES_MAX = 30

const MINUTE_MS = 60_000

/**
 * Finds the service calls in every minute whose spans changed since it was last looked at, and in its neighbours, where
 * their parents and children may be. Whole minutes are written anew, so late, repeated and reordered spans, and a job that
 * was killed, all come to the same calls.
 * @returns how many minutes were paired
 */
export async function pairSpans(store: Store): Promise<number> {
  const dirty = await dirtyMinutes(store.jobs)
  const around = dirty.flatMap(({ minute }) => [minute - MINUTE_MS, minute, minute + MINUTE_MS])
  const minutes = [...new Set([...around, ...(await childMinutesOfLongSpans(store.jobs, dirty))])].sort((a, b) => a - b)
  for (const range of ranges(minutes)) await writeCalls(store.jobs, range)
  await markPaired(store.jobs, dirty)
  return minutes.length
}

/** Joins neighbouring minutes into half-open ranges. Times are milliseconds since 1970. */
export function ranges(minutes: number[], max = RANGE_MINUTES_MAX): MinuteRange[] {
  const found: MinuteRange[] = []
  for (const minute of minutes) {
    const last = found.at(-1)
    if (last && last.until === minute && last.until - last.since < max * MINUTE_MS) last.until = minute + MINUTE_MS
    else found.push({ since: minute, until: minute + MINUTE_MS })
  }
  return found
}
