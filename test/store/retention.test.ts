import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../services/store/migrate.ts'
import { applyRetention, DEFAULT_RETENTION, readRetention } from '../../services/store/retention.ts'
import { openStore, query, run, type Store } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

const room = scratch('retention')
let store: Store
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  await migrate(store)
})
afterAll(async () => {
  await store.close()
  room.close()
})

const TABLES = [
  'operation_usage',
  'operation_usage_day',
  'operation_week',
  'edge_usage_hour',
  'edge_usage_day',
  'user_activity',
]
const rows = async (table: string) =>
  (await query<{ n: number }>(store.reads, `SELECT count() AS n FROM ${table}`))[0]?.n

test('usage of last month-end is there after a year, and gone after the span that is set', async () => {
  const insert = (edge: string, days: number) =>
    run(
      store.jobs,
      `INSERT INTO operation_usage (edge, hour, method, shape, requests, loaded) SELECT {edge:String}, toStartOfHour(now()) - INTERVAL {days:UInt32} DAY, 'GET', '/', 1, today() - {days:UInt32}`,
      { edge, days },
    )
  await insert('a', 366)
  await insert('b', 3)
  await run(store.jobs, 'OPTIMIZE TABLE operation_usage FINAL')
  expect(await rows('operation_usage')).toBe(2)
  await applyRetention(store, { ...DEFAULT_RETENTION, operationsDays: 30 })
  await run(store.jobs, 'ALTER TABLE operation_usage MATERIALIZE TTL SETTINGS mutations_sync = 2')
  await run(store.jobs, 'OPTIMIZE TABLE operation_usage FINAL')
  expect(await rows('operation_usage')).toBe(1)
})

test('each table has the span that is asked for, and the facts their own', async () => {
  const spans = async () => {
    const found = await query<{ name: string; create_table_query: string }>(
      store.reads,
      'SELECT name, create_table_query FROM system.tables WHERE name IN {names:Array(String)} ORDER BY name',
      { names: ['request', ...TABLES] },
    )
    return found.map(({ name, create_table_query: sql }) => `${name} ${/toIntervalDay\((\d+)\)/.exec(sql)?.[1]}`)
  }
  await applyRetention(store, { factsDays: 14, operationsDays: 500 })
  const set = [
    'edge_usage_day 500',
    'edge_usage_hour 500',
    'operation_usage 500',
    'operation_usage_day 500',
    'operation_week 500',
    'request 14',
    'user_activity 14',
  ]
  expect(await spans()).toEqual(set)
  await applyRetention(store, { factsDays: 14, operationsDays: 500 })
  expect(await spans()).toEqual(set)
})

test('the environment sets it, and what is no number of days is refused', () => {
  expect(readRetention({})).toEqual({ factsDays: 90, operationsDays: 400 })
  expect(readRetention({ CINCH_FACTS_DAYS: '7', CINCH_OPERATIONS_DAYS: '' })).toEqual({
    factsDays: 7,
    operationsDays: 400,
  })
  for (const text of ['0', '-1', '1e3', '7 DAY', '99999'])
    expect(() => readRetention({ CINCH_FACTS_DAYS: text })).toThrow('CINCH_FACTS_DAYS')
})
