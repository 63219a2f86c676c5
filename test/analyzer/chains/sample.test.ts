import { afterAll, beforeAll, expect, test } from 'vitest'
import { batches } from '../../../services/analyzer/chains/batch.ts'
import { findChains, MINUTE_RECORDS_MAX, shareOf } from '../../../services/analyzer/chains/find.ts'
import { chainCounts, chainTotal } from '../../../services/store/queries/chain-counts.ts'
import { run } from '../../../services/store/store.ts'
import { openTestStore, type TestStore } from '../../collector/support.ts'

const RECORDS = 3 * MINUTE_RECORDS_MAX
const BUSY = { since: '2026-11-20T10:00:00Z', until: '2026-11-20T10:01:00Z' }
const QUIET = { since: '2026-11-20T11:00:00Z', until: '2026-11-20T11:01:00Z' }
const QUIET_RECORDS = 500

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('chains-sample')
  // Lines with a trace each, a quarter of them of another operation; made by the engine, since only their number matters.
  const lines = (start: string, count: number, seed: number) =>
    run(
      store.store.jobs,
      `INSERT INTO request (time, source_format, reporter, source_workload, destination_workload, protocol, method, path, shape, status, trace_id)
       SELECT parseDateTime64BestEffort({start:String}, 6, 'UTC') + toIntervalMillisecond(number % 60000), 'istio-json', 'destination', 'web', 'orders', 'http',
         if(number % 4 = 0, 'POST', 'GET'), '/orders', '/orders', 200, sipHash128(number, {seed:UInt32}) FROM numbers({count:UInt64})`,
      { start, count, seed },
    )
  await lines(BUSY.since, RECORDS, 1)
  await lines(QUIET.since, QUIET_RECORDS, 2)
  await findChains(store.store, Date.now())
})
afterAll(async () => await store.close())

test('a minute with too many chains is estimated from a sample, and says so', async () => {
  const counts = await chainCounts(store.store.reads, BUSY, '', 10)
  expect(new Set(counts.map(({ weight }) => weight))).toEqual(new Set([3]))
  // A third of 180,000 by a hash: three standard deviations are 600 in 60,000, so 1 % of what it stands for.
  expect(Math.abs((await chainTotal(store.store.reads, BUSY, '')) / RECORDS - 1)).toBeLessThan(0.02)
  const posts = counts.filter(({ root_method }) => root_method === 'POST').reduce((sum, { chains }) => sum + chains, 0)
  expect(Math.abs(posts / (RECORDS / 4) - 1)).toBeLessThan(0.04)
})

test('a minute with fewer is counted to the last one', async () => {
  expect(await chainTotal(store.store.reads, QUIET, '')).toBe(QUIET_RECORDS)
  expect((await chainCounts(store.store.reads, QUIET, '', 10)).map(({ weight }) => weight)).toEqual([1, 1])
})

test.each([
  [0, { looked: 1, weight: 1 }],
  [MINUTE_RECORDS_MAX, { looked: 3, weight: 1 }],
  [MINUTE_RECORDS_MAX + 1, { looked: 2, weight: 2 }],
])('%d records of a minute', (records, share) => expect(shareOf(records)).toEqual(share))

test('minutes are counted together as far as they hold little, and what did not change between them is little, too', () => {
  const at = (minute: number) => Date.parse('2026-11-20T00:00:00Z') + minute * 60_000
  const of = (changed: number[], held: [number, number][], max: number) =>
    batches(new Set(changed.map(at)), new Map(held.map(([minute, records]) => [at(minute), records])), max).map(
      ({ since, until, records }) => [(since - at(0)) / 60_000, (until - at(0)) / 60_000, records],
    )
  const every = (records: number) => [0, 1, 2, 3].map((minute): [number, number] => [minute, records])
  expect(of([0, 1, 2, 3], every(10), 100)).toEqual([[0, 4, 40]])
  expect(of([0, 1, 2, 3], every(60), 100)).toEqual([
    [0, 1, 60],
    [1, 2, 60],
    [2, 3, 60],
    [3, 4, 60],
  ])
  expect(of([0, 3], every(10), 100)).toEqual([[0, 4, 40]])
  expect(of([0, 3], every(600), 10_000)).toEqual([
    [0, 1, 600],
    [3, 4, 600],
  ])
  expect(of([0, 1439, 1440], [], 100)).toEqual([
    [0, 1440, 0],
    [1440, 1441, 0],
  ])
})
