import { afterAll, beforeAll, expect, test } from 'vitest'
import { findChains } from '../../../services/analyzer/chains/find.ts'
import { reportRoots } from '../../../services/analyzer/chains/report.ts'
import { HURRIED } from '../../../services/analyzer/pace.ts'
import { chainCounts, keptShapes } from '../../../services/store/queries/chain-counts.ts'
import { query, run } from '../../../services/store/store.ts'
import { openTestStore, type TestStore } from '../../collector/support.ts'

const SHAPES_MAX = 5
let store: TestStore
beforeAll(async () => {
  store = await openTestStore('chains-shapes')
})
afterAll(async () => await store.close())

/** So many traces of one line each, in the given minute: `path` with the trace's number where it asks for it. */
async function traces(minute: number, path: string, count: number): Promise<void> {
  await run(
    store.store.jobs,
    `INSERT INTO request (time, source_format, reporter, source_workload, destination_workload, protocol, method, path, shape, status, trace_id)
     SELECT parseDateTime64BestEffort('2026-11-20T10:00:00Z', 6, 'UTC') + toIntervalMinute({minute:UInt32}), 'istio-json', 'destination', 'web', 'orders', 'http',
       'GET', replace({path:String}, '#', toString(number)) AS path, path, 200, sipHash128(number, {minute:UInt32}, {path:String}) FROM numbers({count:UInt64})`,
    { minute, path, count },
  )
}

async function reported(minute: number) {
  const at = (plus: number) => new Date(Date.parse('2026-11-20T10:00:00Z') + (minute + plus) * 60_000).toISOString()
  const roots = reportRoots(
    await chainCounts(store.store.reads, { since: at(0), until: at(1) }, '', 1_000),
    [],
    [],
    undefined,
  )
  const sum = (of: (root: (typeof roots)[number]) => number) => roots.reduce((total, root) => total + of(root), 0)
  return {
    chains: sum(({ chains }) => chains),
    complete: sum(({ complete }) => complete),
    folded: sum(({ folded }) => folded),
    shaped: roots.filter(({ shapes }) => shapes.length > 0).map(({ path }) => path),
  }
}

const find = () => findChains(store.store, Date.now(), HURRIED, { shapesMax: SHAPES_MAX })
const kept = async () => (await keptShapes(store.store.reads, [])).kept

test('shapes that many chains have are kept before those of one, and what has none is counted', async () => {
  await traces(0, '/made-up/#', 20)
  await traces(0, '/common', 20)
  await find()
  expect(await kept()).toBe(SHAPES_MAX)
  const { shaped, ...counts } = await reported(0)
  // One for all of /common, four of the twenty that are made up; the other sixteen chains are counted.
  expect(counts).toEqual({ chains: 40, complete: 40, folded: 16 })
  expect(shaped).toContain('/common')
  expect(shaped).toHaveLength(SHAPES_MAX)
})

test('once there is no room, what is known stays, and what is new is counted without its shape', async () => {
  await traces(5, '/common', 3)
  await traces(5, '/late', 30)
  await find()
  expect(await kept()).toBe(SHAPES_MAX)
  expect(await reported(5)).toEqual({ chains: 33, complete: 33, folded: 30, shaped: ['/common'] })
})

test('a minute that is counted again comes to the same', async () => {
  const before = await reported(0)
  // A line that is there already: the minute has changed, its chains have not.
  await traces(0, '/common', 1)
  expect(await find()).toBeGreaterThan(0)
  expect(await reported(0)).toEqual(before)
})

test('a shape that is seen again stays, one that is not goes after 400 days', async () => {
  await run(store.store.jobs, 'OPTIMIZE TABLE chain_shape FINAL')
  await run(
    store.store.jobs,
    'ALTER TABLE chain_shape UPDATE written = today() - 401 WHERE 1 SETTINGS mutations_sync = 2',
  )
  await traces(7, '/common', 2)
  await find()
  await run(store.store.jobs, 'OPTIMIZE TABLE chain_shape FINAL')
  expect(await kept()).toBe(1)
  const [row] = await query<{ today: number }>(
    store.store.reads,
    'SELECT countIf(written = today()) AS today FROM chain_shape',
  )
  expect(row?.today).toBe(1)
  // There is room again.
  await traces(9, '/late', 3)
  await find()
  expect(await reported(9)).toEqual({ chains: 3, complete: 3, folded: 0, shaped: ['/late'] })
})
