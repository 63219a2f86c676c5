import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../services/store/migrate.ts'
import { openStore, query, run, type Store } from '../../services/store/store.ts'
import { newStore } from '../support/new-store.ts'

/*
 * Two facts are of one edge only where all that makes an edge is the same: a caller or sender may choose its names so that, written
 * after one another, they read as another edge's.
 */
const NAMES = [
  'source_format',
  'sender',
  'cluster',
  'destination_namespace',
  'destination_workload',
  'destination_service',
  'destination_principal',
  'source_cluster',
  'source_namespace',
  'source_workload',
  'source_principal',
]
const OTHERS = {
  destination_kind: 'external',
  source_evidence: 'claimed',
  reporter: 'gateway',
  enforcement_point: 'sidecar',
  service_port: 80,
  workload_port: 80,
  protocol: 'http',
  mtls: 'yes',
  source_address: '10.0.0.1',
  destination_address: '10.0.0.1',
}

const dir = mkdtempSync(join(tmpdir(), 'cinch-edge-id-'))
let store: Store
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(dir) })
  await migrate(store)
})
afterAll(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

test('facts that differ in one column of an edge, or shift a letter from one name to the next, are of different edges', async () => {
  const facts: Record<string, string | number>[] = [{}]
  for (const [index, name] of NAMES.entries()) {
    facts.push({ [name]: 'a' }, { [name]: 'ab' }, { [name]: 'a\0' }, { [name]: '\0a' })
    const next = NAMES[index + 1]
    if (next) facts.push({ [name]: 'ab', [next]: 'c' }, { [name]: 'a', [next]: 'bc' })
  }
  // Nothing else names the ends here, so their addresses do.
  for (const [name, value] of Object.entries(OTHERS)) facts.push({ [name]: value })
  const rows = facts.map((fact, index) => JSON.stringify({ ...fact, path: `/${index}` })).join('\n')
  const columns = [...NAMES, ...Object.keys(OTHERS), 'path'].join(', ')
  const insert = `INSERT INTO request (${columns}) SELECT ${columns} FROM format(JSONEachRow, {rows:String}) SETTINGS input_format_defaults_for_omitted_fields = 1`
  for (let twice = 0; twice < 2; twice++) await run(store.jobs, insert, { rows })
  const found = await query<{ path: string; edges: number }>(
    store.reads,
    'SELECT path, uniqExact(edge) AS edges FROM request GROUP BY path ORDER BY path',
  )
  expect(found.map(({ edges }) => Number(edges))).toEqual(facts.map(() => 1))
  const [total] = await query<{ edges: number; stored: number }>(
    store.reads,
    'SELECT uniqExact(edge) AS edges, (SELECT uniqExact(edge) FROM edge) AS stored FROM request',
  )
  expect(total).toEqual({ edges: facts.length, stored: facts.length })
})
