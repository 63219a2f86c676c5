import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../services/store/migrate.ts'
import { edgeRows, type KeptHours, operationRows, type Window } from '../../services/store/queries/rollups.ts'
import { openStore, query, run, type Store } from '../../services/store/store.ts'
import { seeded } from '../policy-gen/support.ts'
import { newStore } from '../support/new-store.ts'

/** Whole days are read from one rollup and the hours at a window's ends from another: together they are the facts themselves. */
const dir = mkdtempSync(join(tmpdir(), 'cinch-rollups-'))
let store: Store
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(dir) })
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

/** A day is read as one row where all of its hours count, and by the hour where only some do: the facts tell what must come of it. */
test('operations of random windows, with and without edges of which only some hours count, are those of the facts', async () => {
  const random = seeded(20_260_719)
  const below = (limit: number) => Math.floor(random() * limit)
  await run(
    store.jobs,
    `INSERT INTO request (time, sender, reporter, source_principal, source_evidence, destination_service, service_port, method, shape, decision, status)
     SELECT toDateTime64('2026-12-01 00:10:00', 6, 'UTC') + toIntervalMinute(number * 11), 'operations', 'destination', concat('td/ns/a/sa/', toString(number % 3)), 'verified',
       'svc.b', 80, if(number % 2 = 0, 'GET', 'POST'), concat('/', toString(number % 7)), if(number % 5 = 0, 'denied', 'allowed'), if(number % 4 = 0, 404, 200) FROM numbers(1500)`,
  )
  const at = (hour: number) => new Date(Date.UTC(2026, 11, 1, hour)).toISOString().replace('.000Z', 'Z')
  for (let round = 0; round < 20; round++) {
    const first = below(200)
    const window = { since: at(first), until: at(first + 1 + below(100)) }
    const edges = [...new Set((await operationRows(store.reads, window)).map(({ edge }) => edge))]
    const partial: KeptHours = new Map(
      edges
        .filter(() => round % 2 === 1 && random() < 0.5)
        .map((edge) => [edge, Array.from({ length: 1 + below(30) }, () => at(first + below(100)))]),
    )
    const rows = await operationRows(store.reads, window, partial)
    const told = rows.map((row) => [
      row.edge,
      row.method,
      row.shape,
      row.requests,
      row.denied,
      row.not_found,
      row.days,
      row.first_seen,
      row.last_seen,
    ])
    expect(told.map(String).sort(), JSON.stringify({ window, partial: [...partial] })).toEqual(
      await factsOf(window, partial),
    )
  }
})

async function factsOf(window: Window, partial: KeptHours): Promise<string[]> {
  const facts = await query<{
    edge: string
    hour: string
    method: string
    shape: string
    denied: number
    missing: number
    at: string
  }>(
    store.reads,
    `SELECT lower(hex(edge)) AS edge, formatDateTime(toStartOfHour(time), '%FT%TZ') AS hour, method, shape, decision = 'denied' AS denied,
       status = 404 AS missing, formatDateTime(time, '%FT%T.%fZ') AS at
     FROM request WHERE time >= parseDateTimeBestEffort({since:String}) AND time < parseDateTimeBestEffort({until:String}) ORDER BY time`,
    { ...window },
  )
  const counted = facts.filter(({ edge, hour }) => partial.get(edge)?.includes(hour) ?? true)
  const groups = Map.groupBy(counted, ({ edge, method, shape }) => `${edge},${method},${shape}`)
  return [...groups]
    .map(([key, list]) => {
      const served = list.filter(({ denied }) => denied === 0)
      const days = new Set(list.map(({ hour }) => hour.slice(0, 10))).size
      const missing = served.filter((fact) => fact.missing === 1).length
      return [key, served.length, list.length - served.length, missing, days, list[0]?.at, list.at(-1)?.at].join()
    })
    .sort()
}
