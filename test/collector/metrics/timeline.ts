import fc from 'fast-check'

/** One interval of a program's life: what happens to it, and whether it is looked at in the end. */
export interface Step {
  seconds: number
  /** The program begins anew at the start of the interval. */
  restarts: boolean
  /** Requests of each series in the interval. */
  requests: number[]
  /** The look succeeds. */
  looked: boolean
}

export const SERIES = 3

/** Programs that are looked at every few seconds or minutes for some hours, restart, are new, and are away at times. */
export const timelines = fc.array(
  fc.record({
    seconds: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 120 }) }, fc.integer({ min: 900, max: 9000 })),
    restarts: fc.boolean().chain((first) => fc.boolean().map((second) => first && second)),
    requests: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1000 })), {
      minLength: SERIES,
      maxLength: SERIES,
    }),
    looked: fc.integer({ min: 0, max: 5 }).map((roll) => roll > 0),
  }),
  { minLength: 3, maxLength: 25 },
)

export interface Sample {
  timeMs: number
  series: number
  value: number
  /** When the program began, in seconds. */
  bornS: number
}

export interface Told {
  samples: Sample[]
  /** Times of looks that succeeded. */
  looksMs: number[]
  /** Requests of each series that counters can tell of. */
  truth: number[]
}

/**
 * Plays a timeline. The truth is kept request by request: one counts when a later look in the same life of the program sees it, and
 * a look came before it. No program is younger than a day when it is first looked at. A restart that a counter would hide (it shows as much as before) does not take place, unless the
 * counters tell their creation.
 */
export function play(steps: readonly Step[], beginMs: number, tellsCreation: boolean): Told {
  const told: Told = { samples: [], looksMs: [], truth: Array(SERIES).fill(0) }
  let timeMs = beginMs
  let bornS = beginMs / 1000 - 2 * 86_400
  let values: number[] = Array(SERIES).fill(0)
  let pending: number[] = Array(SERIES).fill(0)
  let seen: number[] = Array(SERIES).fill(0)
  for (const step of steps) {
    const hidden = step.requests.some((requests, index) => requests >= (seen[index] ?? 0) && (seen[index] ?? 0) > 0)
    if (step.restarts && told.looksMs.length > 0 && (tellsCreation || (!hidden && step.looked))) {
      bornS = timeMs / 1000 + 0.5
      values = Array(SERIES).fill(0)
      pending = Array(SERIES).fill(0)
    }
    timeMs += step.seconds * 1000
    for (const [index, requests] of step.requests.entries()) {
      values[index] = (values[index] ?? 0) + requests
      if (told.looksMs.length > 0) pending[index] = (pending[index] ?? 0) + requests
    }
    if (!step.looked) continue
    told.looksMs.push(timeMs)
    // A counter is there from its first request on.
    for (const [series, value] of values.entries()) if (value > 0) told.samples.push({ timeMs, series, value, bornS })
    told.truth = told.truth.map((sum, index) => sum + (pending[index] ?? 0))
    pending = Array(SERIES).fill(0)
    seen = values.map((value, index) => (value > 0 ? value : (seen[index] ?? 0)))
  }
  return told
}
