import { type Random, roundedAtRandom } from './random.ts'
import { DAY_MS, intensity, MINUTE_MS } from './rhythm.ts'
import type { CallSpec, JourneySpec, Timing } from './tables.ts'

export const SLOT_MS = 5 * MINUTE_MS
/** Journeys begin early enough in a slot that they end in it: lines of one slot come before those of the next. */
const SLOT_QUIET_MS = 4000

export interface Arrival {
  timeMs: number
  journey: JourneySpec
}

export interface Window {
  sinceMs: number
  untilMs: number
}

/** The part of the traffic that is shared by weight: at every slot, which journeys and how many. */
interface Shares {
  journeys: JourneySpec[]
  /** Journeys expected in a slot for each unit of intensity. */
  scales: number[]
}

/**
 * When journeys begin, slot after slot, in order of time. About `requests` calls result over the window: those with an exact
 * count are subtracted first, the rest is shared by weight.
 */
export function* arrivals(
  journeys: JourneySpec[],
  window: Window,
  requests: number,
  draw: Random,
): Generator<Arrival[]> {
  const exact = journeys.filter(({ timing }) => timing.kind !== 'share')
  const exactCalls = exact.reduce(
    (sum, journey) => sum + plannedIn(journey, window, window) * callsOf(journey.calls),
    0,
  )
  const shares = shareOut(journeys, window, Math.max(0, requests - exactCalls))
  for (let sinceMs = window.sinceMs; sinceMs < window.untilMs; sinceMs += SLOT_MS) {
    const slot = { sinceMs, untilMs: Math.min(sinceMs + SLOT_MS, window.untilMs) }
    const starts: Arrival[] = []
    for (const journey of exact)
      add(starts, journey, plannedIn(journey, slot, window), within(journey, slot, window), draw)
    for (const [i, journey] of shares.journeys.entries())
      add(starts, journey, roundedAtRandom((shares.scales[i] ?? 0) * wanted(journey, sinceMs), draw), slot, draw)
    yield starts.sort((a, b) => a.timeMs - b.timeMs)
  }
}

function add(starts: Arrival[], journey: JourneySpec, count: number, slot: Window, draw: Random): void {
  const span = Math.max(1, slot.untilMs - slot.sinceMs - SLOT_QUIET_MS)
  for (let i = 0; i < count; i++) starts.push({ timeMs: slot.sinceMs + Math.floor(draw() * span), journey })
}

function shareOut(journeys: JourneySpec[], window: Window, calls: number): Shares {
  const sums = journeys.map((journey) => {
    let sum = 0
    for (let time = window.sinceMs; time < window.untilMs; time += SLOT_MS) sum += wanted(journey, time)
    return sum
  })
  const active = journeys.map((journey, i) => ({ journey, sum: sums[i] ?? 0 })).filter(({ sum }) => sum > 0)
  const weightedCalls = active.reduce((sum, { journey }) => sum + weightOf(journey) * callsOf(journey.calls), 0)
  return {
    journeys: active.map(({ journey }) => journey),
    scales: active.map(({ journey, sum }) => ((calls / weightedCalls) * weightOf(journey)) / sum),
  }
}

function weightOf({ timing }: JourneySpec): number {
  return timing.kind === 'share' ? timing.weight : 0
}

function wanted({ timing }: JourneySpec, timeMs: number): number {
  return timing.kind === 'share' ? intensity(timing.rhythm, timeMs) : 0
}

/** How many journeys of an exact count fall into `slot`: the difference of the counts due at its ends. */
function plannedIn({ timing }: JourneySpec, slot: Window, window: Window): number {
  if (timing.kind === 'share') return 0
  const dueBy = (timeMs: number) => {
    const day = timing.kind === 'daily' ? Math.floor(timeMs / DAY_MS) : 0
    const { sinceMs, untilMs } = periodOf(timing, timeMs, window)
    const done = Math.min(1, Math.max(0, (timeMs - sinceMs) / (untilMs - sinceMs)))
    return timing.count * day + Math.floor(timing.count * done)
  }
  return dueBy(slot.untilMs) - dueBy(slot.sinceMs)
}

/** When an exact count falls due: once in the window, or on the day of `timeMs`. */
function periodOf(timing: Exclude<Timing, { kind: 'share' }>, timeMs: number, window: Window): Window {
  const sinceMs =
    timing.kind === 'once'
      ? window.sinceMs + timing.at * (window.untilMs - window.sinceMs)
      : Math.floor(timeMs / DAY_MS) * DAY_MS + timing.minuteOfDay * MINUTE_MS
  return { sinceMs, untilMs: sinceMs + timing.minutes * MINUTE_MS }
}

/** The part of `slot` in which an exact count may fall. */
function within({ timing }: JourneySpec, slot: Window, window: Window): Window {
  if (timing.kind === 'share') return slot
  const period = periodOf(timing, slot.sinceMs, window)
  const sinceMs = Math.max(slot.sinceMs, period.sinceMs)
  return { sinceMs, untilMs: Math.max(sinceMs, Math.min(slot.untilMs, period.untilMs)) }
}

/** Mean number of calls of one journey. What leaves through the egress gateway is two calls: to it, and from it. */
export function callsOf(calls: CallSpec[]): number {
  return calls.reduce((sum, call) => sum + call.times * (1 + (call.externalHost ? 1 : 0) + callsOf(call.calls)), 0)
}
