import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pairSpans } from '../../services/analyzer/spans/pair.ts'
import { createCommitter } from '../../services/collector/commit.ts'
import { ingestRequest } from '../../services/collector/ingest.ts'
import { operator } from '../../services/collector/origin.ts'
import { findSource } from '../../services/collector/sources/index.ts'
import { migrate, readMigrations } from '../../services/store/migrate.ts'
import { readInventory } from '../../services/store/queries/inventory.ts'
import { edgeRows, operationRows, storedWindow } from '../../services/store/queries/rollups.ts'
import { openStore, query, type Store } from '../../services/store/store.ts'
import { shopObjects, toYaml } from '../scenarios/objects.ts'
import { shopScenario } from '../scenarios/shop.ts'
import { callsOfWeb, toJsonLine, toProtobuf } from './otlp.ts'
import { startTestServer, type TestServer } from './start-server.ts'

const START_MS = Date.parse('2026-11-05T10:00:00Z')
const dir = mkdtempSync(join(tmpdir(), 'cinch-server-test-'))
const home = process.cwd()
let server: TestServer
let stores: { embedded: Store; remote: Store }

beforeAll(async () => {
  server = await startTestServer(join(dir, 'server'))
  // Beside a server the spool is in the working directory.
  process.chdir(dir)
  stores = {
    embedded: await openStore({ kind: 'chdb', dir: join(dir, 'embedded') }),
    remote: await openStore({ kind: 'http', url: server.url }),
  }
})

afterAll(async () => {
  await stores?.remote.close()
  await stores?.embedded.close()
  await server?.stop()
  process.chdir(home)
  rmSync(dir, { recursive: true, force: true })
})

/** A separate process that migrates the server's store, and prints what it applied. */
async function migrateElsewhere(url: string): Promise<number[]> {
  const code = `
    const { openStore } = await import(process.argv[1] + '/store.ts')
    const { migrate } = await import(process.argv[1] + '/migrate.ts')
    const store = await openStore({ kind: 'http', url: process.argv[2] })
    console.log(JSON.stringify(await migrate(store)))
    await store.close()`
  const services = pathToFileURL(join(import.meta.dirname, '../../services/store')).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, services, url], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let complaints = ''
  child.stdout.on('data', (text) => (out += text))
  child.stderr.on('data', (text) => (complaints += text))
  const [status] = await once(child, 'close')
  if (status !== 0) throw new Error(`migrating elsewhere ended with ${status}: ${complaints}`)
  return JSON.parse(out) as number[]
}

describe('migrations on a server', () => {
  const all = readMigrations().map((migration) => migration.version)

  test('two processes that migrate at once come to one history', async () => {
    const applied = await Promise.all([migrateElsewhere(server.url), migrateElsewhere(server.url)])
    expect([...new Set(applied.flat())].sort((a, b) => a - b)).toEqual(all)
    const rows = await query<{ version: number }>(
      stores.remote.reads,
      'SELECT version FROM migration FINAL ORDER BY version',
    )
    expect(rows.map((row) => row.version)).toEqual(all)
  })

  test('a second time there is nothing to do', async () => {
    expect(await migrate(stores.remote)).toEqual([])
    expect(await migrate(stores.embedded)).toEqual(all)
    expect(await migrate(stores.embedded)).toEqual([])
  })

  test('both stores have the same tables', async () => {
    const tables = `SELECT name, engine, sorting_key, partition_key FROM system.tables WHERE database = currentDatabase() ORDER BY name`
    const remote = await query(stores.remote.reads, tables)
    expect(remote).toEqual(await query(stores.embedded.reads, tables))
    expect(remote.length).toBeGreaterThan(10)
  })
})

/** Columns that tell when a row was written, not what it says. */
const MOMENTS = '* EXCEPT (loaded)'

/** The shop's lines of a day, by cluster. */
async function shopLines(): Promise<Map<string, string[]>> {
  const lines = new Map<string, string[]>()
  for (const { cluster, bytes } of shopScenario({
    seed: 3,
    end: new Date('2026-11-08T00:00:00Z'),
    days: 1,
    requests: 5000,
  })) {
    lines.set(cluster, [...(lines.get(cluster) ?? []), ...bytes.toString('utf8').trimEnd().split('\n')])
  }
  return lines
}

async function sameRows(sql: string): Promise<number> {
  const [remote, embedded] = await Promise.all([query(stores.remote.reads, sql), query(stores.embedded.reads, sql)])
  expect(remote).toEqual(embedded)
  return remote.length
}

describe('the same telemetry by both ways', () => {
  const load = async (sourceId: string, body: Buffer, cluster = 'east') => {
    const results = []
    for (const store of [stores.remote, stores.embedded]) {
      const result = await ingestRequest(store, createCommitter(store), findSource(sourceId), operator(cluster), body)
      results.push({ ...result, seconds: 0 })
    }
    const [remote, embedded] = results
    expect(remote).toEqual(embedded)
    return remote!
  }

  test('access log lines, with some that are wrapped and some that are none', async () => {
    for (const [cluster, lines] of await shopLines()) {
      const odd = Buffer.from(`2026-11-07T10:00:00.1Z stdout F ${lines[0]}\nno line of it: it's "odd" \\ {x}\n`)
      const result = await load(
        'istio-json',
        Buffer.concat([Buffer.from(lines.join('\n')), Buffer.from('\n'), odd]),
        cluster,
      )
      expect(result).toMatchObject({ accepted: lines.length + 1, rejected: 1 })
    }
    expect(await sameRows(`SELECT ${MOMENTS} FROM request ORDER BY cityHash64(${MOMENTS})`)).toBeGreaterThan(4000)
    expect(await sameRows('SELECT source_format, sender, cluster, reason, line FROM rejected_line ORDER BY ALL')).toBe(
      2,
    )
  })

  test('the same lines again add nothing', async () => {
    const count = async () =>
      (await query<{ n: number }>(stores.remote.reads, 'SELECT count() AS n FROM request'))[0]!.n
    const before = await count()
    const [[, lines]] = [...(await shopLines())] as [[string, string[]]]
    const body = Buffer.from(lines.slice(0, 3).join('\n'))
    for (let time = 0; time < 2; time++) expect(await load('istio-json', body, 'again')).toMatchObject({ accepted: 3 })
    expect((await count()) - before).toBe(3)
  })

  test('spans in JSON and in protobuf, paired to calls', async () => {
    expect(await load('otlp-traces', Buffer.from(toJsonLine(callsOfWeb(50, START_MS))))).toMatchObject({
      accepted: 100,
      rejected: 0,
    })
    expect(await load('otlp-traces', toProtobuf(callsOfWeb(70, START_MS + 3_600_000)))).toMatchObject({
      accepted: 140,
      rejected: 0,
    })
    for (const store of [stores.remote, stores.embedded]) expect(await pairSpans(store)).toBeGreaterThan(0)
    const web =
      "SELECT sum(requests) AS requests FROM span_call FINAL WHERE source_workload = 'web' AND destination_workload = 'orders'"
    expect(await query(stores.remote.reads, web)).toEqual([{ requests: 120 }])
  })

  test('a chunk that is no protobuf is a reject', async () => {
    const broken = Buffer.concat([Buffer.from([0x0a, 0x05]), Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])])
    expect(await load('otlp-traces', broken)).toMatchObject({ accepted: 0, rejected: 1 })
  })

  test('objects', async () => {
    const yaml = Buffer.from(toYaml(shopObjects('east')))
    expect((await load('kubernetes-objects', yaml)).accepted).toBeGreaterThan(10)
    expect(await readInventory(stores.remote.reads)).toEqual(await readInventory(stores.embedded.reads))
  })

  test('the rows of the graph', async () => {
    const window = await storedWindow(stores.remote.reads)
    expect(window).toEqual(await storedWindow(stores.embedded.reads))
    const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort()
    const edges = sorted(await edgeRows(stores.remote.reads, window!))
    expect(edges).toEqual(sorted(await edgeRows(stores.embedded.reads, window!)))
    expect(edges.length).toBeGreaterThan(50)
    const operations = sorted(await operationRows(stores.remote.reads, window!))
    expect(operations).toEqual(sorted(await operationRows(stores.embedded.reads, window!)))
  })

  test('the spool is empty afterwards', () => {
    for (const store of [stores.remote, stores.embedded]) expect(readdirSync(join(store.dataDir, 'spool'))).toEqual([])
  })
})

describe('what goes wrong', () => {
  test('an error of SQL comes as one, with its type', async () => {
    await expect(query(stores.remote.reads, 'SELECT nothing FROM nowhere')).rejects.toMatchObject({
      code: '60',
      type: 'UNKNOWN_TABLE',
    })
    await expect(query(stores.remote.reads, 'SELECT {missing:String} AS x')).rejects.toMatchObject({ code: '456' })
  })

  test('a failed insert stays in the spool, for the next start', async () => {
    const committer = createCommitter(stores.remote)
    const note = {
      source: 'istio-json',
      framing: 'lines',
      origin: { ...operator(), speaksFor: '(' },
      token: 'broken',
      lines: 1,
    } as const
    await expect(committer.commit(Buffer.from('{"a":1}\n'), note, false)).rejects.toThrow(/regexp|regular/i)
    expect(readdirSync(join(stores.remote.dataDir, 'spool', String(process.pid)))).toHaveLength(2)
    expect(await createCommitter(stores.remote).recover()).toMatchObject({
      inserted: 0,
      failed: [expect.stringMatching(/regexp|regular/i)],
    })
    rmSync(join(stores.remote.dataDir, 'spool'), { recursive: true })
  })

  test('a parameter is data, whatever it contains', async () => {
    for (const text of ["it's", '\\', "\\'; DROP TABLE request; --", 'a\tb\nc', '{x:String}', 'ü 🙂', '']) {
      expect(await query(stores.remote.reads, 'SELECT {text:String} AS text', { text })).toEqual([{ text }])
      expect(await query(stores.embedded.reads, 'SELECT {text:String} AS text', { text })).toEqual([{ text }])
    }
  })

  test('a setting does not outlive its statement', async () => {
    const value = "SELECT getSetting('max_threads') AS threads"
    const [before] = await query(stores.remote.jobs, value, {}, 'reads')
    await query(stores.remote.jobs, 'SELECT 1 AS one', {}, 'jobs')
    expect(await query(stores.remote.jobs, value, {}, 'reads')).toEqual([before])
  })

  test('nobody there: store_unavailable, with the host and without credentials', async () => {
    const error = await openStore({ kind: 'http', url: 'http://u:hidden@127.0.0.1:9/x' }).catch(
      (caught: unknown) => caught,
    )
    expect(error).toMatchObject({ name: 'CinchError', code: 'store_unavailable', exit: 3 })
    expect(String(error)).toContain('127.0.0.1:9')
    expect(String(error)).not.toContain('hidden')
  })

  test('a wrong password: store_unavailable', async () => {
    const locked = await startTestServer(join(dir, 'locked'), 'right')
    try {
      const address = locked.url.replace('http://', '')
      await (await openStore({ kind: 'http', url: `http://default:right@${address}` })).close()
      await expect(openStore({ kind: 'http', url: `http://default:wrong@${address}` })).rejects.toMatchObject({
        code: 'store_unavailable',
      })
    } finally {
      await locked.stop()
    }
  })

  test('a database that is not there is named, at the latest by the migration', async () => {
    const migrating = openStore({ kind: 'http', url: `${server.url}/no_such_database` }).then(async (store) => {
      try {
        await migrate(store)
      } finally {
        await store.close()
      }
    })
    await expect(migrating).rejects.toThrow(/no_such_database/)
  })
})
