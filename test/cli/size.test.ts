import { expect, test } from 'vitest'
import { CONSTANTS, type Sizing, sizeOf } from '../../services/model/sizing.ts'
import { runHere } from '../support/cli.ts'

const LOAD = ['--requests', '1000', '--edges', '2000', '--operations', '30000', '--hours', '10']

test('what a load needs is its rows times what a row was measured to take', async () => {
  const ran = await runHere(['size', ...LOAD, '--facts-days', '7', '--json'])
  const sizing = ran.json<Sizing>()
  const table = new Map(sizing.tables.map((row) => [row.table, row]))
  // 1,000 requests a second are 86.4 million a day.
  expect(table.get('request')).toMatchObject({ rows_per_day: 86_400_000, days: 7, bytes_per_day: 3_654_720_000 })
  expect(table.get('operation_usage')).toMatchObject({ rows_per_day: 300_000, days: 400, bytes: 1_716_000_000 })
  expect(table.get('operation_usage_day')).toMatchObject({ rows_per_day: 30_000, days: 400 })
  expect(table.get('operation_week')).toMatchObject({ rows_per_day: 4_286, days: 400 })
  expect(table.get('edge_usage_hour')?.rows_per_day).toBe(48_000)
  expect(table.get('edge_usage_day')?.rows_per_day).toBe(2_000)
  expect(sizing.bytes).toBe(sizing.tables.reduce((sum, row) => sum + row.bytes, 0))
  expect(sizing.processors).toBe(2)
})

test('few requests make no more rows than there are requests', () => {
  const load = {
    requestsPerSecond: 0.01,
    edges: 1e6,
    operations: 1e9,
    hoursPerDay: 24,
    factsDays: 1,
    operationsDays: 1,
  }
  expect(
    sizeOf(load)
      .tables.slice(0, 5)
      .map((row) => row.rows_per_day),
  ).toEqual([864, 864, 864, 864, 864])
})

test('more load never needs less', () => {
  const base = {
    requestsPerSecond: 500,
    edges: 1000,
    operations: 5000,
    hoursPerDay: 3,
    factsDays: 30,
    operationsDays: 400,
  }
  const before = sizeOf(base)
  for (const key of Object.keys(base) as (keyof typeof base)[]) {
    const after = sizeOf({ ...base, [key]: base[key] * 4 })
    for (const what of ['bytes', 'disk_bytes', 'memory_bytes', 'processors'] as const)
      expect(after[what]).toBeGreaterThanOrEqual(before[what])
  }
})

test('people are told where each constant comes from', async () => {
  const { stdout } = await runHere(['size', ...LOAD])
  for (const { from } of Object.values(CONSTANTS)) expect(stdout).toContain(from)
})

test.each([
  [['size', '--edges', '1', '--operations', '1'], '--requests is missing'],
  [['size', ...LOAD, '--facts-days', '0'], '--facts-days'],
  [['size', ...LOAD, '--hours', '25'], '--hours'],
  [['size', ...LOAD, '--hours', 'NaN'], '--hours'],
])('%j is refused', async (args, why) => {
  const { code, stderr } = await runHere(args)
  expect(code).toBe(2)
  expect(stderr).toContain(why)
})
