import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Gap, SILENT_FLOOR_S, silenceOf } from '../../services/model/silence.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/** Gaps from times, as the store gives them. */
function gapsOf(times: number[]): Gap[] {
  const counts = new Map<number, number>()
  for (const [index, time] of times.entries()) {
    const gap = time - (times[index - 1] ?? time)
    if (gap > 0) counts.set(gap, (counts.get(gap) ?? 0) + 1)
  }
  return [...counts].map(([seconds, count]) => ({ seconds, times: count }))
}

const every = (seconds: number, untilS: number, from = 0) =>
  Array.from({ length: Math.floor((untilS - from) / seconds) + 1 }, (_, index) => from + index * seconds)

const GAPS = fc.array(
  fc.record({
    seconds: fc.integer({ min: 1, max: 3000 }).map((n) => n * MINUTE),
    times: fc.integer({ min: 1, max: 5000 }),
  }),
  { maxLength: 12 },
)

describe('a sender', () => {
  test('that sends all the time is silent after five minutes, and not before', () => {
    const gaps = gapsOf(every(MINUTE, 2 * DAY))
    expect(silenceOf(gaps, SILENT_FLOOR_S)).toMatchObject({ state: 'live', usual_gap_s: 60, silent_after_s: 300 })
    expect(silenceOf(gaps, SILENT_FLOOR_S + 1).state).toBe('silent')
  })

  test('that sends for an hour every night is live all day, and silent when a night was missed', () => {
    const nights = Array.from({ length: 14 }, (_, day) => every(MINUTE, day * DAY + HOUR, day * DAY)).flat()
    const gaps = gapsOf(nights)
    for (let hour = 0; hour <= 24; hour++) expect(silenceOf(gaps, hour * HOUR).state).toBe('live')
    expect(silenceOf(gaps, 23 * HOUR + 12 * HOUR).state).toBe('silent')
  })

  test('that is new, by the night, is never called silent before its rhythm is known', () => {
    for (let count = 1; count < 20; count++) {
      const nights = Array.from({ length: count }, (_, day) => every(MINUTE, day * DAY + HOUR, day * DAY)).flat()
      for (let hour = 0; hour <= 24; hour++) expect(silenceOf(gapsOf(nights), hour * HOUR).state).not.toBe('silent')
    }
  })

  test('that works on weekdays is not silent at a weekend, from the first one on', () => {
    for (let weeks = 1; weeks < 9; weeks++) {
      const days = Array.from({ length: weeks * 5 }, (_, day) => (Math.floor(day / 5) * 7 + (day % 5)) * DAY)
      const gaps = gapsOf(days.flatMap((day) => every(MINUTE, day + 18 * HOUR, day + 8 * HOUR)))
      for (let hour = 0; hour <= 62; hour++) expect(silenceOf(gaps, hour * HOUR).state).not.toBe('silent')
    }
  })

  test('that once was away for half a day is not given half a day for it', () => {
    const before = every(MINUTE, 20 * DAY)
    const after = every(MINUTE, 40 * DAY, 20 * DAY + 12 * HOUR)
    expect(silenceOf(gapsOf([...before, ...after]), HOUR).state).toBe('silent')
  })

  test('of which one load of files came is no stream', () => {
    expect(silenceOf(gapsOf(every(MINUTE, HOUR)), 30 * DAY).state).toBe('learning')
    expect(silenceOf([], 30 * DAY).state).toBe('learning')
  })
})

describe('for any gaps', () => {
  const property = (check: (gaps: Gap[], quietS: number) => void) =>
    fc.assert(fc.property(GAPS, fc.integer({ min: 0, max: 90 * DAY }), check), { seed: 3, numRuns: 2000 })

  test('nobody is silent before the floor, or within a gap that came three times', () =>
    property((gaps, quietS) => {
      const { state } = silenceOf(gaps, quietS)
      if (quietS <= SILENT_FLOOR_S) expect(state).not.toBe('silent')
      const total = gaps.reduce((sum, { seconds, times }) => sum + seconds * times, 0)
      const within = gaps.some(({ seconds, times }) => times >= 3 && quietS <= seconds && seconds * times > total / 50)
      if (within) expect(state).not.toBe('silent')
    }))

  test('who is silent stays so while nothing comes', () =>
    property((gaps, quietS) => {
      if (silenceOf(gaps, quietS).state === 'silent') expect(silenceOf(gaps, quietS + HOUR).state).toBe('silent')
    }))

  test('the order of the gaps, and how they are grouped, does not matter', () =>
    property((gaps, quietS) => {
      const apart = gaps.flatMap(({ seconds, times }) => [
        { seconds, times: Math.floor(times / 2) },
        { seconds, times: times - Math.floor(times / 2) },
      ])
      expect(silenceOf(apart.reverse(), quietS)).toEqual(silenceOf(gaps, quietS))
    }))
})
