import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBudget } from '../../../services/collector/gather/budget.ts'
import { outcomesOf } from '../../../services/collector/gather/parts.ts'
import { createQuota, createTurns } from '../../../services/collector/gather/quota.ts'
import { OverloadedError } from '../../../services/model/overloaded.ts'

const RATE = 1000

test('in any time a sender gets at most burst + rate · time + one request, and once it has waited it is let in', () => {
  const step = fc.record({ gapMs: fc.integer({ min: 0, max: 3000 }), bytes: fc.integer({ min: 1, max: 5000 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const quota = createQuota(RATE)
      const taken: { atMs: number; bytes: number }[] = []
      let nowMs = 0
      for (const { gapMs, bytes } of steps) {
        nowMs += gapMs
        const waitMs = quota.waitMs('a', nowMs)
        if (waitMs > 0) {
          expect(quota.waitMs('a', nowMs + waitMs)).toBe(0)
          continue
        }
        quota.charge('a', bytes, nowMs)
        taken.push({ atMs: nowMs, bytes })
      }
      for (let from = 0; from < taken.length; from++) {
        let sum = 0
        for (let to = from; to < taken.length; to++) {
          sum += taken[to]!.bytes
          const seconds = (taken[to]!.atMs - taken[from]!.atMs) / 1000
          expect(sum).toBeLessThanOrEqual(2 * RATE + RATE * seconds + 5000)
        }
      }
    }),
  )
})

test('one sender’s quota is not another’s, and nobody is told to wait for more than a minute', () => {
  const quota = createQuota(RATE)
  quota.charge('a', 1e9, 0)
  expect(quota.waitMs('a', 0)).toBe(60_000)
  expect(quota.waitMs('b', 0)).toBe(0)
  expect(quota.waitMs('a', 61_000)).toBe(0)
})

test('by turns: between two items of one sender every other with something ready is served', () => {
  const item = fc.record({ sender: fc.constantFrom('a', 'b', 'c', 'd'), isReady: fc.boolean() })
  fc.assert(
    fc.property(fc.array(item, { maxLength: 80 }), (items) => {
      const turns = createTurns<{ sender: string; isReady: boolean; index: number }>()
      for (const [index, each] of items.entries()) turns.add(each.sender, { ...each, index })
      const served: { sender: string; index: number }[] = []
      const left = new Map<string, number>()
      for (const each of items.filter(({ isReady }) => isReady)) left.set(each.sender, (left.get(each.sender) ?? 0) + 1)
      const since = new Map<string, Set<string>>()
      for (let next = turns.next(({ isReady }) => isReady); next; next = turns.next(({ isReady }) => isReady)) {
        const others = [...left]
          .filter(([sender, count]) => sender !== next.sender && count > 0)
          .map(([sender]) => sender)
        const before = since.get(next.sender)
        if (before) expect(others.filter((sender) => !before.has(sender))).toEqual([])
        since.set(next.sender, new Set())
        for (const [sender, seen] of since) if (sender !== next.sender) seen.add(next.sender)
        left.set(next.sender, (left.get(next.sender) ?? 0) - 1)
        served.push(next)
      }
      // All that is ready, each sender's in its order; what is not ready stays.
      expect(served.length).toBe(items.filter(({ isReady }) => isReady).length)
      for (const sender of ['a', 'b', 'c', 'd']) {
        const own = served.filter((each) => each.sender === sender).map(({ index }) => index)
        expect(own).toEqual([...own].sort((a, b) => a - b))
      }
      expect(turns.size).toBe(items.length - served.length)
      expect(turns.items().every(({ isReady }) => !isReady)).toBe(true)
    }),
  )
})

test('memory is refused to metrics at a half, to traces at three quarters, to logs when there is none', () => {
  const budget = createBudget(1000)
  const grow = (signal: 'metrics' | 'traces' | 'logs', bytes: number, sender: string) => {
    const hold = budget.hold(sender, signal)
    hold.grow(bytes)
    return hold
  }
  const logs = grow('logs', 500, 'a')
  expect(() => grow('metrics', 1, 'b')).toThrow(OverloadedError)
  grow('traces', 200, 'b')
  expect(() => grow('traces', 50, 'c')).toThrow(OverloadedError)
  grow('traces', 40, 'c')
  grow('logs', 200, 'd')
  expect(() => grow('logs', 61, 'e')).toThrow(OverloadedError)
  expect(budget.bytes).toBe(940)
  logs.release()
  logs.release()
  expect(budget.bytes).toBe(440)
})

test('one sender has four fifths of the memory at most, and a fifth of what others leave is there for the next', () => {
  const budget = createBudget(1000)
  const fill = (sender: string) => {
    const hold = budget.hold(sender, 'logs')
    for (;;)
      try {
        hold.grow(1)
      } catch (error) {
        expect(error).toMatchObject({ bottleneck: 'memory' })
        return hold
      }
  }
  const first = fill('a')
  expect(budget.bytes).toBe(800)
  // Many requests are no more than one.
  expect(() => budget.hold('a', 'logs').grow(1)).toThrow(OverloadedError)
  const others = ['b', 'c'].map(fill)
  expect(budget.bytes).toBe(800 + 160 + 32)
  first.shrink(300)
  expect(() => budget.hold('d', 'logs').grow(200)).not.toThrow()
  for (const hold of [first, ...others]) hold.release()
  expect(budget.bytes).toBe(200)
  fill('b')
  expect(budget.bytes).toBe(200 + 640)
})

test('whatever senders ask for and give back, the memory is within its bound, and it is empty in the end', () => {
  const step = fc.record({
    hold: fc.nat(7),
    bytes: fc.nat(400),
    act: fc.constantFrom('grow', 'grow', 'shrink', 'release'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = createBudget(1000)
      const holds = Array.from({ length: 8 }, (_, index) => budget.hold(`sender ${index % 3}`, 'logs'))
      for (const { hold, bytes, act } of steps) {
        const before = budget.bytes
        try {
          if (act === 'release') holds[hold]?.release()
          else holds[hold]?.[act as 'grow' | 'shrink'](bytes)
        } catch {
          expect(budget.bytes).toBe(before)
        }
        expect(budget.bytes).toBeGreaterThanOrEqual(0)
        expect(budget.bytes).toBeLessThanOrEqual(1000)
      }
      for (const hold of holds) hold.release()
      expect(budget.bytes).toBe(0)
      // Nothing is kept of senders that are gone: one alone gets what one alone may.
      expect(() => budget.hold('sender 0', 'logs').grow(800)).not.toThrow()
    }),
  )
})

test('what is dealt out to requests adds up to what was counted, and is exact where all was accepted', () => {
  const parts = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(
      parts,
      fc.integer({ min: 0, max: 100_000 }),
      fc.integer({ min: 0, max: 100 }),
      (records, accepted, rejected) => {
        const outcomes = outcomesOf(
          records.map((count, index) => ({ id: String(index), bytes: 1, records: count })),
          { accepted, rejected },
        )
        const sum = (key: 'accepted' | 'rejected') => outcomes.reduce((total, outcome) => total + outcome[key], 0)
        expect(sum('rejected')).toBe(rejected)
        expect(sum('accepted')).toBe(accepted)
        expect(outcomes.every((outcome) => outcome.accepted >= 0 && outcome.rejected >= 0)).toBe(true)
      },
    ),
  )
  const parted = outcomesOf(
    [3, 0, 9].map((records) => ({ id: '', bytes: 1, records })),
    { accepted: 12, rejected: 0 },
  )
  expect(parted).toEqual([3, 0, 9].map((accepted) => ({ accepted, rejected: 0, together: 1 })))
})
