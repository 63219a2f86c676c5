import { expect, test } from 'vitest'
import { migrate, readMigrations } from '../../services/store/migrate.ts'
import { openStore, query, run } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'

/** Requests of 50 users, each fifth without one, some refused; every user has two groups, told in any order and twice. */
const insert = (
  second: number,
) => `INSERT INTO request (time, reporter, source_principal, source_evidence, destination_namespace, destination_workload, workload_port,
    method, shape, stage, decision, status, user_issuer, user_subject, user_groups, acr, auth_time)
  SELECT toDateTime64('2026-11-18 00:00:00', 6, 'UTC') + toIntervalMinute(number) + ${second}, 'destination', 'td/ns/a/sa/web', 'verified', 'a', 'orders', 8080,
    'GET', concat('/', toString(number % 2)), 'end', if(number % 7 = 0, 'denied', 'allowed'), 200, if(known, 'https://id.example', ''),
    if(known, toString(number % 50), ''), if(known, if(number % 3 = 0, ['b', 'a', 'b'], ['a', 'b']), []), if(known, 'phr', ''),
    if(known, toDateTime('2026-11-18 00:00:00', 'UTC'), toDateTime(0, 'UTC'))
  FROM (SELECT number, number % 5 != 0 AS known FROM numbers(1000))`

/** The same of the facts themselves. */
const FACTS = `SELECT toStartOfHour(time) AS hour, shape, countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied
  FROM request WHERE user_issuer != '' GROUP BY hour, shape ORDER BY hour, shape`
const USAGE = `SELECT hour, shape, sum(u.requests) AS requests, sum(u.denied) AS denied FROM user_usage AS u GROUP BY hour, shape ORDER BY hour, shape`

test('users of facts that were there before the migration are counted once, also when it is run again, and those that come later', async () => {
  const room = scratch('users-migration')
  const store = await openStore({ kind: 'chdb', dir: room.path('store') })
  try {
    const all = readMigrations()
    const { version } = all.find(({ name }) => name === 'users') ?? { version: 0 }
    await migrate(
      store,
      all.filter((one) => one.version < version),
    )
    await run(store.jobs, insert(0))
    const upTo = all.filter((one) => one.version <= version)
    await migrate(store, upTo)
    await run(store.jobs, 'ALTER TABLE migration DELETE WHERE version = {version:UInt32} SETTINGS mutations_sync = 1', {
      version,
    })
    expect(await migrate(store, upTo)).toEqual([version])
    await migrate(store, all)
    const rows = async (sql: string) => await query<Record<string, unknown>>(store.reads, sql)
    expect(await rows(USAGE)).toEqual(await rows(FACTS))
    const classes = 'SELECT DISTINCT issuer, acr, groups, more_groups FROM user_usage'
    expect(await rows(classes)).toEqual([
      { issuer: 'https://id.example', acr: 'phr', groups: '["a","b"]', more_groups: false },
    ])
    await run(store.jobs, insert(1))
    expect(await rows(USAGE)).toEqual(await rows(FACTS))
    expect(await rows('SELECT DISTINCT tells_acr, tells_age, tells_groups, since FROM user_teller FINAL')).toEqual([
      { tells_acr: true, tells_age: true, tells_groups: true, since: '2026-11-18 00:00:00' },
    ])
  } finally {
    await store.close()
    room.close()
  }
})
