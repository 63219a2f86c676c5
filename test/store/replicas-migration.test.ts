import { expect, test } from 'vitest'
import { migrate, readMigrations } from '../../services/store/migrate.ts'
import { openStore, query, run } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'

/** Requests of twelve replicas, some refused, some for what is not there, some whose address nobody tells. */
const insert = (second: number) =>
  `INSERT INTO request (time, reporter, source_principal, source_evidence, source_address, destination_namespace, destination_workload, workload_port, method, shape, stage, decision, status)
  SELECT toDateTime64('2026-11-18 00:00:00', 6, 'UTC') + toIntervalMinute(number) + ${second}, 'destination', 'td/ns/a/sa/web', 'verified',
    if(number % 13 = 12, toIPv6('::'), toIPv6(concat('::ffff:10.0.', toString(number % 2), '.', toString(number % 13)))), 'a', 'orders', 8080,
    'GET', concat('/', toString(number % 3)), 'end', if(number % 7 = 0, 'denied', 'allowed'), if(number % 11 = 0, 404, 200) FROM numbers(3000)`

const COUNTS = 'sum(requests), sum(denied), sum(not_found), min(first_seen), max(last_seen), min(mark)'
const usage = (table: string, time: string, sums: string) =>
  `SELECT edge, ${time} AS time, method, shape, ${sums} FROM ${table} GROUP BY edge, time, method, shape ORDER BY time, shape`

test('replicas of facts that were there before the migration are told, and nothing is counted twice, also when it is run again', async () => {
  const room = scratch('replicas-migration')
  const store = await openStore({ kind: 'chdb', dir: room.path('store') })
  const rows = async (sql: string) => await query<Record<string, unknown>>(store.reads, sql)
  try {
    const all = readMigrations()
    const { version } = all.find(({ name }) => name === 'replicas') ?? { version: 0 }
    const before = all.filter((one) => one.version < version)
    await migrate(store, before)
    await run(store.jobs, insert(0))
    const tables = [
      ['operation_usage', 'hour'],
      ['operation_usage_day', 'day'],
      ['edge_usage_hour', 'hour'],
    ] as const
    const counts = async () =>
      await Promise.all(
        tables.map(([table, time]) =>
          rows(
            table === 'edge_usage_hour'
              ? `SELECT hour, sum(u.requests), sum(u.denied) FROM edge_usage_hour AS u GROUP BY hour ORDER BY hour`
              : usage(table, time, COUNTS),
          ),
        ),
      )
    const counted = await counts()
    const upTo = all.filter((one) => one.version <= version)
    await migrate(store, upTo)
    await run(store.jobs, 'ALTER TABLE migration DELETE WHERE version = {version:UInt32} SETTINGS mutations_sync = 1', {
      version,
    })
    expect(await migrate(store, upTo)).toEqual([version])
    await migrate(store, all)
    expect(await counts()).toEqual(counted)
    const expectTold = async () => {
      // By other means than marks: distinct addresses of what was served. No two of these share a bit.
      const told = (time: string) =>
        `SELECT ${time} AS time, shape, uniqExactIf(source_address, decision = 'allowed' AND status = 200 AND source_address != toIPv6('::')) AS replicas FROM request GROUP BY time, shape ORDER BY time, shape`
      const marked = (table: string, time: string) =>
        `SELECT ${time} AS time, shape, bitCount(bits) AS replicas FROM (SELECT ${time}, shape, groupBitOr(replicas) AS bits FROM ${table} GROUP BY ${time}, shape) ORDER BY time, shape`
      expect(await rows(marked('operation_usage', 'hour'))).toEqual(await rows(told('toStartOfHour(time)')))
      expect(await rows(marked('operation_usage_day', 'day'))).toEqual(await rows(told('toDate(time)')))
    }
    await expectTold()
    await run(store.jobs, insert(1))
    await expectTold()
  } finally {
    await store.close()
    room.close()
  }
})
