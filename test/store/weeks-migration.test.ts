import { expect, test } from 'vitest'
import { migrate, readMigrations } from '../../services/store/migrate.ts'
import { openStore, query, run, type Store } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'

/** Over the ends of a week, a month and a year, and across the first days of Unix time's weeks. */
const REQUESTS = 700
const FIRST = Date.parse('2026-12-26T19:30:00Z')
const STEP_MINUTES = 53

const INSERT = `INSERT INTO request (time, reporter, source_principal, source_evidence, destination_service, service_port, method, shape, decision)
  SELECT toDateTime64({first:String}, 6, 'UTC') + toIntervalMinute(number * ${STEP_MINUTES}), 'destination', 'td/ns/a/sa/x', 'verified', 'svc.a', 80,
    if(number % 2 = 0, 'GET', 'PUT'), concat('/', toString(number % 3)), if(number % 5 = 0, 'denied', 'allowed') FROM numbers(${REQUESTS})`

async function insert(store: Store, first: number): Promise<void> {
  await run(store.jobs, INSERT, { first: new Date(first).toISOString().slice(0, 19).replace('T', ' ') })
}

async function weeks(store: Store) {
  const rows = await query<{ method: string; path: string; week: string; hours: string; requests: number }>(
    store.reads,
    `SELECT any(w.method) AS method, any(w.shape) AS path, toString(week) AS week, sum(w.requests) AS requests, toString(groupBitOr(w.hours)) AS hours
     FROM operation_week AS w GROUP BY edge, operation, week ORDER BY method, path, week`,
  )
  const isIn = (bits: string, hour: number) => ((BigInt(bits) >> BigInt(hour)) & 1n) === 1n
  return rows.map(({ hours, ...row }) => ({
    ...row,
    hours: Array.from({ length: 256 }, (_, hour) => hour).filter((hour) => isIn(hours, hour)),
  }))
}

/** Counted by the calendar of the language: Monday is its day 1. */
function expected(firsts: readonly number[]) {
  const found = new Map<string, { hours: Set<number>; requests: number }>()
  for (const first of firsts)
    for (let number = 0; number < REQUESTS; number++) {
      const time = new Date(first + number * STEP_MINUTES * 60_000)
      const day = (time.getUTCDay() + 6) % 7
      const monday = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate() - day))
      const key = [number % 2 === 0 ? 'GET' : 'PUT', `/${number % 3}`, monday.toISOString().slice(0, 10)].join(' ')
      const known = found.get(key) ?? { hours: new Set(), requests: 0 }
      known.hours.add(day * 24 + time.getUTCHours())
      known.requests++
      found.set(key, known)
    }
  return [...found].sort().map(([key, { hours, requests }]) => {
    const [method, path, week] = key.split(' ')
    return { method, path, week, requests, hours: [...hours].sort((a, b) => a - b) }
  })
}

test('weeks are those of what was counted before, also when the migration is run again, and go on counting', async () => {
  const room = scratch('weeks-migration')
  const store = await openStore({ kind: 'chdb', dir: room.path('store') })
  try {
    const all = readMigrations()
    const version = all.find(({ name }) => name === 'operations_by_week')?.version ?? 0
    await migrate(
      store,
      all.filter((migration) => migration.version < version),
    )
    await insert(store, FIRST)
    await migrate(store, all)
    await run(store.jobs, `ALTER TABLE migration DELETE WHERE version = ${version} SETTINGS mutations_sync = 1`)
    expect(await migrate(store, all)).toEqual([version])
    expect(await weeks(store)).toEqual(expected([FIRST]))
    const later = FIRST + 17 * 60_000
    await insert(store, later)
    expect(await weeks(store)).toEqual(expected([FIRST, later]))
  } finally {
    await store.close()
    room.close()
  }
}, 60_000)
