import { setTimeout as sleep } from 'node:timers/promises'
import { ClickHouseError } from '@clickhouse/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSourceStates } from '../../services/api/source-states.ts'
import { migrate } from '../../services/store/migrate.ts'
import { SOURCE_SUMS, storeTime } from '../../services/store/queries/batches.ts'
import { openStore, query, run, type Store } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

const OLD = 100_000
const DAY = 86_400
const room = scratch('source-states')
let store: Store

beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  await migrate(store)
  // A merge would write the old part anew within the test's second of settling.
  await run(store.jobs, 'SYSTEM STOP MERGES ingest_batch')
  await batches('old', OLD, 30 * DAY)
})
afterAll(async () => {
  await store.close()
  room.close()
})

/** So many batches of ten requests that were five seconds old, loaded now or, one a second, until `ago` seconds before. */
async function batches(sender: string, count: number, ago: number): Promise<void> {
  await run(
    store.jobs,
    `INSERT INTO ingest_batch (batch, source_format, sender, cluster, accepted, rejected, first_time, last_time, loaded)
     SELECT concat({sender:String}, toString(number), toString(now64(6))), 'istio-json', {sender:String}, 'east', 10, 1, at - 6, at - 5, at
     FROM (SELECT number, now() - if({ago:UInt32} = 0, 0, {ago:UInt32} + number) AS at FROM numbers({count:UInt32}))`,
    { sender, count, ago },
  )
}

/** Rows that the engine has to read of a range. */
async function rowsRead(since: number): Promise<number> {
  const [row] = await query<{ rows: number }>(
    store.reads,
    `SELECT sum(rows) AS rows FROM (EXPLAIN ESTIMATE ${SOURCE_SUMS})`,
    { since, until: 2 ** 32 },
  )
  return row?.rows ?? 0
}

test('of 100,000 old batches none is read again, and every answer counts them', async () => {
  const states = createSourceStates(store, 1)
  const first = await states(Date.now())
  expect(first).toMatchObject([{ sender: 'old', accepted: OLD * 10, rejected: OLD, lag_s: 5 }])
  expect(await rowsRead(0)).toBeGreaterThanOrEqual(OLD)
  // Parts are told by the second in which they were written; two replicas' clocks may be ten minutes apart.
  await sleep(2_000)
  await batches('new', 100, 0)
  const since = (await storeTime(store.reads)) - 1 + 600
  expect(await rowsRead(since)).toBeLessThanOrEqual(100)
  const second = await states(Date.now())
  expect(second.map(({ sender, accepted }) => [sender, accepted])).toEqual([
    ['new', 1_000],
    ['old', OLD * 10],
  ])
  await batches('new', 50, 0)
  await sleep(2_100)
  for (const _ of [1, 2, 3]) {
    const [fresh, old] = await states(Date.now())
    expect([fresh?.accepted, fresh?.rejected, old?.accepted]).toEqual([1_500, 150, OLD * 10])
    await sleep(1_100)
  }
})

test('what is kept and what is read anew come to what a reading of all tells', async () => {
  const kept = createSourceStates(store, 1)
  await kept(Date.now())
  await batches('third', 7, 0)
  await sleep(3_100)
  await kept(Date.now())
  await batches('third', 8, 0)
  await batches('new', 3, 0)
  const nowMs = Date.now()
  const inOrder = async (states: ReturnType<typeof createSourceStates>) =>
    (await states(nowMs)).map((state) => ({ ...state, hours: state.hours.toSorted(([a], [b]) => a - b) }))
  const told = await inOrder(kept)
  expect(told).toEqual(await inOrder(createSourceStates(store, 1)))
  expect(told.map(({ sender, accepted }) => [sender, accepted])).toEqual([
    ['new', 1_530],
    ['old', OLD * 10],
    ['third', 150],
  ])
  expect(told.map(({ hours }) => hours.reduce((sum, [, accepted]) => sum + accepted, 0))).toEqual([1_530, 0, 150])
})

test('who may not read system.parts has the same answer, from all batches', async () => {
  const asked: string[] = []
  const refusing = new Proxy(store.reads, {
    get: (client, name) =>
      name !== 'query'
        ? Reflect.get(client, name)
        : async (params: Parameters<typeof client.query>[0]) => {
            asked.push(params.query)
            if (!params.query.includes('system.parts')) return await client.query(params)
            throw new ClickHouseError({ message: 'Not enough privileges', code: '497', type: 'ACCESS_DENIED' })
          },
  })
  const nowMs = Date.now()
  const told = await createSourceStates({ reads: refusing }, 1)(nowMs)
  expect(told).toEqual(await createSourceStates(store, 1)(nowMs))
  expect(asked.some((sql) => sql.includes('system.parts'))).toBe(true)
})
