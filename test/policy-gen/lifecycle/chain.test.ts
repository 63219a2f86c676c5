import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chained, EMPTY_HEAD, headOf, verifyLog } from '../../../policy-gen/lifecycle/chain.ts'
import type { LogEntry, Said } from '../../../services/model/lifecycle.ts'

const saying = (why: string, said: Said = { about: 'windows', windows: [] }) => ({
  at: '2026-11-30T10:00:00.000Z',
  who: 'kim',
  why,
  said,
})
const log = (length: number): LogEntry[] =>
  chained(
    EMPTY_HEAD,
    Array.from({ length }, (_, at) => saying(`reason ${at}`)),
  )

describe('the chain of the log', () => {
  it('is whole when nobody touched it, in however many parts it was written', () => {
    const [first, second] = [chained(EMPTY_HEAD, [saying('a'), saying('b')]), [saying('c')]]
    const whole = [...first, ...chained(headOf(first), second)]
    expect(verifyLog(whole, [headOf(first), headOf(whole)])).toEqual({ entries: 3, head: headOf(whole), faults: [] })
    expect(whole).toEqual(chained(EMPTY_HEAD, [saying('a'), saying('b'), saying('c')]))
    expect(verifyLog([])).toEqual({ entries: 0, head: EMPTY_HEAD, faults: [] })
  })

  it('shows any change of any entry', () => {
    const change = fc.oneof(
      fc.record({
        field: fc.constantFrom('at' as const, 'who' as const, 'why' as const, 'previous' as const, 'hash' as const),
        value: fc.string(),
      }),
      fc.record({
        field: fc.constant('said' as const),
        value: fc.record({ about: fc.constant('windows' as const), windows: fc.array(fc.string(), { minLength: 1 }) }),
      }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9 }), change, (at, { field, value }) => {
        const entries = log(10).map((entry, index) => (index === at ? { ...entry, [field]: value } : entry))
        fc.pre(JSON.stringify(entries) !== JSON.stringify(log(10)))
        expect(verifyLog(entries).faults.length).toBeGreaterThan(0)
      }),
      { seed: 11, numRuns: 500 },
    )
  })

  it('shows what is missing, doubled, put between or moved', () => {
    const entries = log(6)
    const without = (seq: number) => entries.filter((entry) => entry.seq !== seq)
    expect(verifyLog(without(3)).faults).toEqual([{ seq: 3, what: 'is missing' }])
    expect(verifyLog(without(1)).faults).toEqual([{ seq: 1, what: 'is missing' }])
    expect(verifyLog(entries.filter(({ seq }) => seq < 3 || seq > 5)).faults).toEqual([
      { seq: 3, what: 'to 5 are missing' },
    ])
    expect(verifyLog([...entries, ...entries.slice(-1)]).faults).toEqual([{ seq: 6, what: 'is there twice' }])
    // Numbered and chained anew from the third on, as one would who removes it.
    const forged = [...entries.slice(0, 2), ...chained(headOf(entries.slice(0, 2)), entries.slice(3))]
    expect(verifyLog(forged).faults).toEqual([])
    expect(verifyLog(forged, [headOf(entries)]).faults).toEqual([
      { seq: 6, what: 'was the last that is known, and is missing' },
    ])
    expect(verifyLog(forged, [headOf(entries.slice(0, 4))]).faults).toEqual([
      { seq: 4, what: 'is not the one that is known' },
    ])
  })

  it('shows an end that was cut off only to whoever kept the head', () => {
    expect(verifyLog(log(6).slice(0, 4)).faults).toEqual([])
    expect(verifyLog(log(6).slice(0, 4), [headOf(log(6))]).faults).toHaveLength(1)
    expect(verifyLog([], [headOf(log(6))]).faults).toHaveLength(1)
  })
})
