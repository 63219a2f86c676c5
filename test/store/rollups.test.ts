import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../services/store/migrate.ts'
import { edgeRows, operationRows } from '../../services/store/queries/rollups.ts'
import { openStore, query, run, type Store } from '../../services/store/store.ts'

/** Whole days are read from one rollup and the hours at a window's ends from another: together they are the facts themselves. */
const dir = mkdtempSync(join(tmpdir(), 'cinch-rollups-'))
let store: Store
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir })
  await migrate(store)
  await run(
    store.jobs,
    `INSERT INTO request (time, reporter, source_principal, source_evidence, destination_service, service_port, method, shape, decision)
     SELECT toDateTime64('2026-11-17 20:30:00', 6, 'UTC') + toIntervalMinute(number * 7), 'destination', concat('td/ns/a/sa/', toString(number % 5)), 'verified',
       concat('svc', toString(number % 3), '.a'), 80, 'GET', '/', if(number % 11 = 0, 'denied', 'allowed') FROM numbers(1000)`,
  )
})
afterAll(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

test.each([
  ['2026-11-17T00:00:00Z', '2026-11-23T00:00:00Z'],
  ['2026-11-18T00:00:00Z', '2026-11-19T00:00:00Z'],
  ['2026-11-18T05:00:00Z', '2026-11-20T17:00:00Z'],
  ['2026-11-18T05:00:00Z', '2026-11-18T17:00:00Z'],
  ['2026-11-18T22:00:00Z', '2026-11-19T02:00:00Z'],
  ['2026-11-18T23:00:00Z', '2026-11-20T00:00:00Z'],
  ['1970-01-01T00:00:00Z', '1970-01-01T01:00:00Z'],
])('from %s to %s the rollups sum up to the facts', async (since, until) => {
  const [facts] = await query<{ served: number; denied: number; edges: number }>(
    store.reads,
    `SELECT countIf(decision != 'denied') AS served, countIf(decision = 'denied') AS denied, uniqExact(source_principal, destination_service) AS edges
     FROM request WHERE time >= parseDateTimeBestEffort({since:String}) AND time < parseDateTimeBestEffort({until:String})`,
    { since, until },
  )
  const edges = await edgeRows(store.reads, { since, until })
  const operations = await operationRows(store.reads, { since, until })
  for (const rows of [edges, operations]) {
    expect(rows.reduce((sum, row) => sum + row.requests, 0)).toBe(facts?.served)
    expect(rows.reduce((sum, row) => sum + row.denied, 0)).toBe(facts?.denied)
    expect(rows).toHaveLength(facts?.edges ?? -1)
  }
})
