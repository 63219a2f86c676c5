import { afterEach, describe, expect, test } from 'vitest'
import { pairSpans } from '../../services/analyzer/spans/pair.ts'
import type { Store } from '../../services/store/store.ts'
import { seeded } from '../collector/lines.ts'
import { openTestStore, type TestStore } from '../collector/support.ts'
import { type ShortSpan, spanLine } from '../support/telemetry.ts'

/** Two minutes, and where the clock stands when everything has come. */
const START = Date.parse('2026-11-05T10:00:00Z')
const LENGTH_MS = 120_000
const SETTLED_MS = 15_000
const TRACES = 400
const MOMENTS = 24

type Span = Required<Omit<ShortSpan, 'parent' | 'namespace'>> & { parent?: number }
interface Arrival {
  span: Span
  at: number
}

/** Traces of random trees: callers and children of all kinds, streams of an hour, work that goes on later, clocks that differ. */
function randomSpans(random: () => number): Span[] {
  const below = (most: number) => Math.floor(random() * most)
  const spans: Span[] = []
  for (let trace = 1; trace <= TRACES; trace++) {
    const own: Span[] = []
    const count = 1 + below(10)
    const start = START + below(LENGTH_MS)
    for (let id = 1; id <= count; id++) {
      const parent = id === 1 ? undefined : own[below(own.length)]
      const service = random() < 0.5 && parent ? parent.service : `service-${below(5)}`
      const kind = (['server', 'client', 'internal'] as const)[below(3)] ?? 'server'
      const isLong = id === 1 && random() < 0.1
      const takes = isLong ? 3_700_000 : random() < 0.1 ? below(30_000) : 5 + below(500)
      const begin = isLong ? start - 3_600_000 : start
      // Inside of its parent, or up to half a minute after it; some by a clock that is behind by up to three seconds.
      const after = parent ? below(Math.min(parent.takes, 40_000)) + (random() < 0.1 ? below(30_000) : 0) : 0
      const at = Math.max(parent && parent.takes > 1e6 ? start : begin, parent?.at ?? 0) + after
      const skewed = parent && random() < 0.1 ? at - below(3000) : at
      // One in twelve parents is never told of.
      const named = parent && random() < 0.08 ? 900 + id : parent?.id
      const base = { trace, id, service, kind, takes, at: skewed, method: 'GET', route: `/${service}/${below(2)}` }
      own.push(named === undefined ? base : { ...base, parent: named })
    }
    spans.push(...own)
  }
  return spans
}

/** When each is told of: mostly soon after it ended, some late, some twice, never in the order in which they are listed. */
function arrivalsOf(spans: Span[], random: () => number): Arrival[] {
  return spans.flatMap((span) => {
    const late = () => span.at + Math.min(span.takes, 60_000) + random() * (random() < 0.1 ? 90_000 : 6_000)
    return Array.from({ length: random() < 0.15 ? 2 : 1 }, () => ({ span, at: late() }))
  })
}

const keyOf = (minute: number, unpaired: string, source: string, to: string, operation: string) =>
  `${new Date(minute).toISOString().slice(11, 16)} ${unpaired || source} > ${to} ${operation}`

/** The rule, by the book: a call is a span that is no client's and whose parent is of another service. */
function truthOf(spans: Span[]): Record<string, number> {
  const byId = new Map(spans.map((span) => [`${span.trace}/${span.id}`, span]))
  const counts: Record<string, number> = {}
  for (const span of byId.values()) {
    if (span.kind === 'client') continue
    const parent = span.parent === undefined ? undefined : byId.get(`${span.trace}/${span.parent}`)
    if (parent ? parent.service === span.service : span.kind === 'internal') continue
    const unpaired = parent ? '' : span.parent === undefined ? 'root' : 'unpaired'
    const minute = Math.floor(span.at / 60_000) * 60_000
    const key = keyOf(minute, unpaired, parent?.service ?? '', span.service, `${span.method} ${span.route}`)
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

/** A store whose jobs break down after so many statements, as those of a process that is killed. */
function breaking(store: Store, after: number): Store {
  let left = after
  const jobs = new Proxy(store.jobs, {
    get: (client, name) => {
      const value = Reflect.get(client, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (left-- <= 0) throw new Error('killed')
        return value.apply(client, args)
      }
    },
  })
  return { ...store, jobs }
}

describe('random traces in random batches, some late, some twice, with jobs that are killed: the same calls', () => {
  let store: TestStore
  afterEach(async () => {
    await store.close()
  })

  async function callsNow(): Promise<Record<string, number>> {
    const rows = await store.rows<
      Record<'source' | 'unpaired' | 'to' | 'operation', string> & { at: number; n: number }
    >(
      `SELECT toUnixTimestamp(minute) * 1000 AS at, source_workload AS source, unpaired, destination_workload AS to, concat(method, ' ', shape) AS operation, sum(requests) AS n
       FROM span_call FINAL GROUP BY ALL HAVING n > 0`,
    )
    return Object.fromEntries(
      rows.map(({ at, unpaired, source, to, operation, n }) => [keyOf(at, unpaired, source, to, operation), n]),
    )
  }

  /** @param settledMs with 0, every moment's calls are exact; else those of the end. */
  async function follow(seed: number, settledMs: number) {
    const random = seeded(seed)
    const arrivals = arrivalsOf(randomSpans(random), random).sort((a, b) => a.at - b.at)
    store = await openTestStore('pair-random')
    const seen: Span[] = []
    let killed = 0
    for (let moment = 0; moment < MOMENTS; moment++) {
      const part = arrivals.slice((arrivals.length * moment) / MOMENTS, (arrivals.length * (moment + 1)) / MOMENTS)
      const nowMs = part.at(-1)?.at ?? 0
      const mixed = part.map(({ span }) => ({ span, at: random() })).sort((a, b) => a.at - b.at)
      await store.request('otlp-traces', spanLine(mixed.map(({ span }) => span)), {})
      seen.push(...part.map(({ span }) => span))
      const isKilled = random() < 0.4
      const work = pairSpans(isKilled ? breaking(store.store, Math.floor(random() * 9)) : store.store, settledMs, nowMs)
      await work.catch((error: Error) => {
        if (error.message !== 'killed') throw error
        killed++
      })
      if (settledMs === 0 && moment % 6 === 5) {
        await pairSpans(store.store, 0, nowMs)
        expect(await callsNow()).toEqual(truthOf(seen))
      }
    }
    await pairSpans(store.store, settledMs, (arrivals.at(-1)?.at ?? 0) + SETTLED_MS + 120_000)
    const calls = await callsNow()
    expect(calls).toEqual(truthOf(seen))
    return { calls, killed, twice: arrivals.length - new Set(arrivals.map(({ span }) => span)).size }
  }

  test.each([1])('as they are loaded, seed %i', async (seed) => {
    const { calls, killed, twice } = await follow(seed, 0)
    expect(Object.keys(calls).length).toBeGreaterThan(100)
    expect(killed).toBeGreaterThan(1)
    expect(twice).toBeGreaterThan(100)
  })

  test.each([3])('as a service sees them, seed %i', async (seed) => {
    const { killed } = await follow(seed, SETTLED_MS)
    expect(killed).toBeGreaterThan(1)
  })
})
