import { setTimeout as sleep } from 'node:timers/promises'
import {
  changedMinutes,
  markJoined,
  minutesOfRelays,
  toJoin,
  writeJoined,
  writeJoinedHours,
} from '../../store/queries/join.ts'
import type { Store } from '../../store/store.ts'
import { HURRIED, type Pace } from '../pace.ts'
import { ranges } from '../ranges.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** Changed minutes that one round takes up: a week of them, as a file has that nobody sent before. */
export const MINUTES_MAX = 10_000
/** Lines after which a statement ends, if it has more than a minute: bounds the time for which it holds up others. */
const STATEMENT_HALVES = 500_000
/** Lines that a statement joins at most, if one minute holds no more of one connection: bounds its memory, some 300 bytes a line. */
export const HALVES_MAX = 2_000_000

/**
 * Finds who called, for lines that do not say it: in every minute whose lines changed since it was last looked at, and in its
 * neighbours, where the other end of a call may be. Whole minutes are written anew, then the hours that they are of, so late,
 * repeated and reordered lines, and a job that was killed, all come to the same calls.
 * @param halvesMax lines that are joined at once; minutes that have more are joined in parts, by the connection
 * @returns how many minutes were joined
 */
export async function joinCallers(
  store: Store,
  nowMs = Date.now(),
  { settledMs, pauseMs }: Pace = HURRIED,
  halvesMax = HALVES_MAX,
): Promise<number> {
  const before = settledMs > 0 ? nowMs - settledMs - MINUTE_MS : Number.MAX_SAFE_INTEGER
  let joined = 0
  for (;;) {
    const changed = await changedMinutes(store.jobs, Math.min(before, 4_000_000_000_000), MINUTES_MAX)
    const around = changed.flatMap(({ minute }) => [minute - MINUTE_MS, minute, minute + MINUTE_MS])
    const minutes = [...new Set([...around, ...(await minutesOfRelays(store.jobs, changed))])].sort((a, b) => a - b)
    if (minutes.length > 0) await joinMinutes(store, minutes, pauseMs, halvesMax)
    const hours = new Set(minutes.map((minute) => Math.floor(minute / HOUR_MS) * HOUR_MS))
    for (const range of ranges(hours, HOUR_MS)) await writeJoinedHours(store.jobs, range)
    await markJoined(store.jobs, changed)
    joined += minutes.length
    if (changed.length < MINUTES_MAX) return joined
  }
}

/**
 * Joins minutes, however far apart, with as few statements as their lines allow: the engine takes 300 ms to analyse one. Where no line
 * asks who called, as in a mesh that proves every caller, there is none.
 */
async function joinMinutes(store: Store, minutes: number[], pauseMs: number, halvesMax: number): Promise<void> {
  const { halves, asking, found } = await toJoin(store.jobs, minutes)
  if (asking + found === 0) return
  if (halves > Math.min(halvesMax, STATEMENT_HALVES) && minutes.length > 1) {
    const middle = minutes.length >> 1
    await joinMinutes(store, minutes.slice(0, middle), pauseMs, halvesMax)
    await joinMinutes(store, minutes.slice(middle), pauseMs, halvesMax)
    return
  }
  const parts = Math.max(1, Math.ceil(halves / halvesMax))
  for (let part = 0; part < parts; part++) {
    await writeJoined(store.jobs, minutes, part, parts)
    if (pauseMs > 0) await sleep(pauseMs)
  }
}
