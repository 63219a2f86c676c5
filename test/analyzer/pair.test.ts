import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ranges } from '../../services/analyzer/ranges.ts'
import { groups, pairSpans } from '../../services/analyzer/spans/pair.ts'
import { createCommitter } from '../../services/collector/commit.ts'
import { ingestRequest } from '../../services/collector/ingest.ts'
import { operator } from '../../services/collector/origin.ts'
import { findSource } from '../../services/collector/sources/index.ts'
import { migrate } from '../../services/store/migrate.ts'
import { openStore, query, type Store } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { type ShortSpan, spanLine } from '../support/telemetry.ts'

const MINUTE = 60_000

describe('ranges of minutes', () => {
  const of = (minutes: number[], max?: number) =>
    ranges(
      minutes.map((minute) => minute * MINUTE),
      MINUTE,
      max === undefined ? undefined : max * MINUTE,
    ).map(({ since, until }) => [since / MINUTE, until / MINUTE])

  test('neighbours are joined, gaps are not', () => {
    expect(of([])).toEqual([])
    expect(of([5])).toEqual([[5, 6]])
    expect(of([1, 2, 3, 7, 8, 10])).toEqual([
      [1, 4],
      [7, 9],
      [10, 11],
    ])
  })

  test('none is longer than what one statement may pair', () => {
    expect(of([1, 2, 3, 4, 5], 2)).toEqual([
      [1, 3],
      [3, 5],
      [5, 6],
    ])
    const day = of(
      Array.from({ length: 1440 }, (_, minute) => minute),
      30,
    )
    expect(day).toHaveLength(48)
    expect(day.every(([since = 0, until = 0]) => until - since === 30)).toBe(true)
  })
})

describe('groups for one statement', () => {
  const of = (items: [number, number][]) =>
    groups(
      items.map(([minute, spans]): [number, number] => [minute * MINUTE, spans]),
      (item) => item,
      100,
    ).map((group) => group.map(([time]) => time / MINUTE))

  test('reach half an hour at most, and hold so many spans at most, or one that has more', () => {
    expect(of([])).toEqual([])
    expect(
      of([
        [0, 1],
        [29, 1],
        [30, 1],
        [59, 1],
        [61, 1],
      ]),
    ).toEqual([[0, 29], [30, 59], [61]])
    expect(
      of([
        [0, 60],
        [1, 40],
        [2, 1],
        [3, 500],
        [4, 100],
      ]),
    ).toEqual([[0, 1], [2], [3], [4]])
  })
})

describe('calls found in spans', () => {
  const room = scratch('pair')
  let store: Store
  beforeAll(async () => {
    store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
    await migrate(store)
  })
  afterAll(async () => {
    await store.close()
    room.close()
  })

  let traces = 0
  /** Stores the spans of each part as a body of its own, in a trace of its own, and gives the calls of `to`. */
  async function callsTo(to: string, ...parts: Omit<ShortSpan, 'trace'>[][]) {
    const trace = ++traces
    for (const part of parts) {
      const body = Buffer.from(spanLine(part.map((span) => ({ ...span, trace }))))
      await ingestRequest(store, createCommitter(store), findSource('otlp-traces'), operator(), body)
      await pairSpans(store)
    }
    return await query<{ source: string; unpaired: string; requests: number }>(
      store.reads,
      `SELECT source_workload AS source, unpaired, sum(requests) AS requests FROM span_call FINAL
       WHERE destination_workload = {to:String} GROUP BY source, unpaired HAVING requests > 0 ORDER BY source`,
      { to },
    )
  }
  const at = Date.parse('2026-11-05T10:00:59.999Z')
  const client = (service: string, more = {}) => ({ id: 1, service, kind: 'client' as const, at, ...more })
  const server = (service: string, more = {}) => ({
    id: 2,
    parent: 1,
    service,
    kind: 'server' as const,
    at: at + 2,
    ...more,
  })

  test('whichever comes first, also over the edge of a minute', async () => {
    expect(await callsTo('b1', [client('a1')], [server('b1')])).toEqual([{ source: 'a1', unpaired: '', requests: 1 }])
    expect(await callsTo('b2', [server('b2')], [client('a2')])).toEqual([{ source: 'a2', unpaired: '', requests: 1 }])
  })

  test('a parent that began an hour before', async () => {
    expect(await callsTo('b3', [client('a3', { at: at - 3_600_000 })], [server('b3')])).toEqual([
      { source: 'a3', unpaired: '', requests: 1 },
    ])
  })

  test('spans that come again, alone or together, count once', async () => {
    const both = [client('a4'), server('b4')]
    expect(await callsTo('b4', both, [server('b4')], [...both, client('a9', { id: 9 })])).toEqual([
      { source: 'a4', unpaired: '', requests: 1 },
    ])
  })

  test('without a parent, or with one that never came', async () => {
    expect(await callsTo('b5', [{ id: 2, service: 'b5', kind: 'server', at }])).toEqual([
      { source: '', unpaired: 'root', requests: 1 },
    ])
    expect(await callsTo('b6', [server('b6')])).toEqual([{ source: '', unpaired: 'unpaired', requests: 1 }])
  })

  test('ids that a sender repeats make no call of each pair', async () => {
    const callers = Array.from({ length: 20 }, (_, n) => client(`caller-${n}`))
    const calls = await callsTo('b7', [...callers, server('b7')])
    expect(calls.reduce((sum, call) => sum + call.requests, 0)).toBe(1)
  })
})
