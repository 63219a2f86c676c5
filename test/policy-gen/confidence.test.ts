import { describe, expect, test } from 'vitest'
import { confidenceByCallee } from '../../policy-gen/confidence/callees.ts'
import { coverageOf, unseenMass } from '../../policy-gen/confidence/coverage.ts'
import { daysBetween, daysOf, isMonthEnd } from '../../policy-gen/confidence/days.ts'
import { propose } from '../../policy-gen/propose.ts'
import { backtest, type Observations } from '../../services/api/backtest.ts'
import type { BacktestDay } from '../../services/model/backtest.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { inventoryOf, operation, type ShortOperation, seeded } from './support.ts'

const DAY_MS = 86_400_000

describe('the calendar of a window', () => {
  test('has each day that the window touches, cut at its ends', () => {
    expect(daysOf({ since: '2026-02-27T22:00:00Z', until: '2026-03-01T03:00:00Z' })).toEqual([
      { day: '2026-02-27', since: '2026-02-27T22:00:00Z', until: '2026-02-28T00:00:00Z' },
      { day: '2026-02-28', since: '2026-02-28T00:00:00Z', until: '2026-03-01T00:00:00Z' },
      { day: '2026-03-01', since: '2026-03-01T00:00:00Z', until: '2026-03-01T03:00:00Z' },
    ])
  })

  test('knows the ends of months, leap years too', () => {
    const ends = ['2026-01-31', '2026-02-28', '2028-02-29', '2026-12-31']
    const others = ['2026-01-30', '2028-02-28', '2026-03-01']
    expect([...ends, ...others].filter(isMonthEnd)).toEqual(ends)
  })

  test('counts whole days', () => expect(daysBetween('2026-02-27T22:00:00Z', '2026-03-02T21:00:00Z')).toBe(2))
})

const replayed = (requests: number, would_deny: number, uncertain = 0): BacktestDay => ({
  ...{ day: '2026-01-01', learned_days: 1, denied: [] },
  ...{ requests, would_deny, uncertain },
})

describe('coverage', () => {
  test('is the mean, and the worst of the days, as sure as there are days', () => {
    const days = [replayed(100, 0), replayed(200, 10), replayed(50, 0, 1), replayed(0, 0)]
    expect(coverageOf(days)).toEqual({
      expected: expect.closeTo((1 + 0.95 + 0.98) / 3),
      at_least: 0.95,
      confidence: 0.75,
    })
  })
  test('of no day is not told', () => expect(coverageOf([replayed(0, 0)])).toBeNull())

  test('what one day alone showed is the unseen mass', () => {
    const seen = observed([
      { spec: { path: '/daily' }, days: [0, 1, 2], requests: 30 },
      { spec: { path: '/once' }, days: [1], requests: 2 },
      // A template's parts: each on one day, but not on the same.
      { spec: { path: '/twice' }, days: [0, 2], requests: 8, said: 1 },
    ])
    const { permissions } = propose(seen, inventoryOf(seen))
    expect(unseenMass(permissions)).toEqual({ share: 2 / 40, permissions: 1 })
  })
})

const START = '2026-01-05T00:00:00Z'
const at = (day: number) => new Date(Date.parse(START) + day * DAY_MS).toISOString().replace('.000Z', 'Z')
const dayOf = (time: string) => (Date.parse(time) - Date.parse(START)) / DAY_MS

interface Seen {
  spec: ShortOperation
  days: number[]
  requests: number
  /** How many days the rollup says, where it knows a lower bound only. */
  said?: number
}

function observed(list: Seen[]): ObservedOperation[] {
  return list.map(({ spec, days, requests, said }) => ({
    ...operation({ ...spec, requests }),
    firstSeen: at(Math.min(...days)),
    lastSeen: at(Math.max(...days)),
    days: said ?? days.length,
  }))
}

describe('a verdict for each callee', () => {
  const every = (days: number) => Array.from({ length: days }, (_, day) => day)
  const verdict = (list: Seen[], days: number, replayedDays: BacktestDay[] = [], since = START) => {
    const seen = observed(list)
    const until = new Date(Date.parse(since) + days * DAY_MS).toISOString()
    const proposal = propose(seen, inventoryOf(seen), { principalRule: 'cluster.local/ns/{namespace}/sa/{workload}' })
    const [found, ...others] = confidenceByCallee(proposal, replayedDays, { since, until })
    expect(others).toEqual([])
    return found
  }

  test('four weeks with the end of a month, and nothing new: ready', () => {
    const found = verdict([{ spec: {}, days: every(28), requests: 500 }], 28)
    expect(found).toEqual({
      ...{ callee: 'shop/orders', verdict: 'ready', reasons: [], more_days: 0 },
      ...{ permissions: 1, requests: 500, quiet_days: 28 },
    })
  })

  test('few days, or something new of late: wait, and how long', () => {
    expect(verdict([{ spec: {}, days: every(5), requests: 500 }], 5)).toMatchObject({ verdict: 'wait', more_days: 2 })
    const fresh = [
      { spec: {}, days: every(28), requests: 5000 },
      { spec: { path: '/new' }, days: [26, 27], requests: 2 },
    ]
    expect(verdict(fresh, 28)).toMatchObject({ verdict: 'wait', more_days: 1, quiet_days: 2 })
  })

  test('a large share that one day alone showed: wait until it has shrunk', () => {
    const list = [
      { spec: {}, days: every(28), requests: 499 },
      { spec: { path: '/once' }, days: [4], requests: 1 },
    ]
    // 1 of 500 in 28 days; as much again halves it to the 0.1 % that is asked for.
    expect(verdict(list, 28)).toMatchObject({ verdict: 'wait', more_days: 28 })
  })

  test('a replayed day that would have been denied: wait', () => {
    const call = { destination: 'shop/orders' } as BacktestDay['denied'][number]
    const found = verdict([{ spec: {}, days: every(28), requests: 500 }], 28, [{ ...replayed(5, 1), denied: [call] }])
    expect(found?.verdict).toBe('wait')
  })

  test('no end of a month', () => {
    expect(verdict([{ spec: {}, days: every(20), requests: 500 }], 20)?.verdict).toBe('month_end_unseen')
  })

  test('callers that only claim who they are, or nobody knows: weak', () => {
    const claimed = { spec: { principal: '', evidence: 'joined' as const }, days: every(28), requests: 5 }
    expect(verdict([claimed], 28)?.verdict).toBe('weak_evidence')
    const unknown = { spec: { principal: '', evidence: 'claimed' as const }, days: every(28), requests: 5 }
    expect(verdict([unknown], 28)).toMatchObject({ verdict: 'weak_evidence', permissions: 0 })
  })
})

/** What each day brings: kinds of requests whose rates are far apart (lognormal), more of them on some days than on others. */
function shop(seed: number, days: number): (window: { since: string; until: string }) => Promise<Observations> {
  const next = seeded(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  const busy = Array.from({ length: days }, () => Math.exp(0.2 * normal()))
  const kinds = Array.from({ length: 300 }, (_, kind) => {
    const rate = Math.exp(0.5 + 2.2 * normal())
    return {
      spec: { from: `shop/c${kind % 7}`, to: `shop/s${kind % 11}`, path: `/k${kind}` },
      counts: busy.map((load) => poisson(rate * load, next)),
    }
  })
  return async ({ since, until }) => {
    const [first, last] = [dayOf(since), dayOf(until)]
    const seen = kinds.flatMap(({ spec, counts }) => {
      const on = counts.flatMap((count, day) => (count > 0 && day >= first && day < last ? [day] : []))
      const requests = on.reduce((sum, day) => sum + (counts[day] ?? 0), 0)
      return requests > 0 ? observed([{ spec, days: on, requests }]) : []
    })
    return { seen, learned: seen, inventory: inventoryOf(seen) }
  }
}

function poisson(mean: number, next: () => number): number {
  if (mean > 50) return Math.round(mean)
  let [n, product] = [0, next()]
  for (const limit = Math.exp(-mean); product > limit; product *= next()) n++
  return n
}

describe('backtest', { timeout: 120_000 }, () => {
  const DAYS = 13
  const SEEDS = 50

  test('the coverage of the day after is in the announced interval as often as is said', async () => {
    let held = 0
    let wide = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const observe = shop(seed, DAYS + 1)
      const told = await backtest(observe, { target: 'istio', window: { since: START, until: at(DAYS) }, days: 7 })
      expect(told.days.map(({ learned_days }) => learned_days)).toEqual([6, 7, 8, 9, 10, 11, 12])
      // The truth, by the definition and not by replay: what the first days had not, of what the next has.
      const known = new Set((await observe({ since: START, until: at(DAYS) })).seen.map(({ path }) => path))
      const { seen } = await observe({ since: at(DAYS), until: at(DAYS + 1) })
      const all = seen.reduce((sum, { requests }) => sum + requests, 0)
      const fresh = seen.filter(({ path }) => !known.has(path)).reduce((sum, { requests }) => sum + requests, 0)
      expect(told.coverage?.confidence).toBe(7 / 8)
      if (1 - fresh / all >= (told.coverage?.at_least ?? 1)) held++
      if (fresh > 0) wide++
      // As wide as a day's worst is, not as wide as to hold always.
      expect(told.coverage?.at_least).toBeGreaterThan(0.9)
    }
    // Three standard deviations of 50 draws that hold 7 times of 8.
    expect(held / SEEDS).toBeGreaterThan(7 / 8 - 3 * Math.sqrt(((7 / 8) * (1 / 8)) / SEEDS))
    expect(wide).toBeGreaterThan(SEEDS / 2)
  })

  test('a day that brings what no day before it had shown is denied, and named', async () => {
    const list = [
      { spec: {}, days: [0, 1, 2], requests: 30 },
      { spec: { path: '/month-end' }, days: [2], requests: 4 },
    ]
    const observe = async ({ since, until }: { since: string; until: string }): Promise<Observations> => {
      const seen = list.flatMap(({ spec, days, requests }) => {
        const on = days.filter((day) => day >= dayOf(since) && day < dayOf(until))
        return on.length > 0 ? observed([{ spec, days: on, requests: (requests / days.length) * on.length }]) : []
      })
      return { seen, learned: seen, inventory: inventoryOf(seen) }
    }
    const told = await backtest(observe, { target: 'istio', window: { since: START, until: at(3) }, days: 7 })
    expect(told.days).toMatchObject([
      { day: '2026-01-06', learned_days: 1, requests: 10, would_deny: 0 },
      {
        day: '2026-01-07',
        learned_days: 2,
        requests: 14,
        would_deny: 4,
        denied: [{ path: '/month-end', requests: 4 }],
      },
    ])
    expect(told.unseen).toEqual({ share: 4 / 34, permissions: 1 })
  })
})
