import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCinch } from '../../services/api/cinch.ts'
import { migrate, readMigrations } from '../../services/store/migrate.ts'
import { operationRows } from '../../services/store/queries/rollups.ts'
import { openStore, query, run } from '../../services/store/store.ts'

/** A store that an earlier version filled keeps its graph when its rollups move to edges with ids, and goes on counting. */
const DAY = { since: '2026-11-18T00:00:00Z', until: '2026-11-19T00:00:00Z' }

const INSERT = `INSERT INTO request (time, reporter, source_principal, source_address, source_evidence, destination_service, destination_address, service_port, method, shape, decision)
  SELECT toDateTime64('2026-11-18 00:00:00', 6, 'UTC') + toIntervalMinute(number), 'destination', if(number % 4 = 0, '', concat('td/ns/a/sa/', toString(number % 5))),
    toIPv6(concat('::ffff:', if(number % 8 = 0, '10.0.0.', '9.9.9.'), toString(number % 7))), 'verified', if(number % 6 = 0, '', concat('svc', toString(number % 3), '.a')),
    toIPv6('::ffff:10.0.0.1'), 80, 'GET', concat('/', toString(number % 2)), if(number % 11 = 0, 'denied', 'allowed') FROM numbers(1000)`

test('usage that was counted before the migration is the same after it, also when it is run again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cinch-usage-'))
  const store = await openStore({ kind: 'chdb', dir })
  try {
    const all = readMigrations()
    await migrate(
      store,
      all.filter(({ version }) => version < 7),
    )
    await run(store.jobs, INSERT)
    const old = await query<{ n: number; denied: number; operations: number }>(
      store.reads,
      'SELECT sum(o.requests) AS n, sum(o.denied) AS denied, uniqExact(tuple(* EXCEPT (hour, requests, denied, first_seen, last_seen))) AS operations FROM operation_hour AS o',
    )
    // Cut off before it was recorded, then run again; then the old tables go.
    const moved = all.filter(({ version }) => version <= 7)
    await migrate(store, moved)
    await run(store.jobs, 'ALTER TABLE migration DELETE WHERE version = 7 SETTINGS mutations_sync = 1')
    expect(await migrate(store, moved)).toEqual([7])
    expect(await migrate(store, all)).toContain(8)
    const rows = await operationRows(store.reads, DAY)
    const sum = (field: 'requests' | 'denied') => rows.reduce((total, row) => total + row[field], 0)
    expect({ n: sum('requests'), denied: sum('denied'), operations: rows.length }).toEqual(old[0])

    // Edges have other ids since their channel is part of them: what was counted before and after is one edge all the same.
    const cinch = await openCinch(store)
    const before = await cinch.edges(DAY)
    await run(store.jobs, INSERT.replace('00:00:00', '00:00:01'))
    for (const twice of [await cinch.edges(DAY), await cinch.graph(DAY)]) {
      const total = twice.edges.reduce((n, edge) => n + edge.requests + edge.denied, 0)
      expect(twice.edges).toHaveLength(before.edges.length)
      expect(total).toBe(2000)
    }
  } finally {
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  }
})
