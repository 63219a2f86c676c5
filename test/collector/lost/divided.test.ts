import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCommitter, type Note } from '../../../services/collector/commit.ts'
import { createGatherer, type Gatherer } from '../../../services/collector/gather/gather.ts'
import { ingest } from '../../../services/collector/ingest.ts'
import { openInput } from '../../../services/collector/input/input.ts'
import { operator } from '../../../services/collector/origin.ts'
import { findSource } from '../../../services/collector/sources/index.ts'
import { migrate } from '../../../services/store/migrate.ts'
import { openSpool } from '../../../services/store/spool.ts'
import { openStore, query, type Store } from '../../../services/store/store.ts'
import { startTestServer, type TestServer } from '../../store/start-server.ts'
import { scratch } from '../../support/cli.ts'
import { generateText } from '../lines.ts'
import { traceRequest } from '../receivers/requests.ts'
import { filesBelow } from '../support.ts'
import { type Lossy, lossy } from './lossy.ts'
import { storedOf } from './ways.ts'

/* Chunks that are cut otherwise the second time: by what another process stored meanwhile, or because a file has grown. */

const SPANS = 20
const room = scratch('divided')
const home = process.cwd()
let server: TestServer
let way: Lossy
/** One over a way that loses answers, the other with a spool of its own. */
let store: Store
let others: Store
beforeAll(async () => {
  server = await startTestServer(room.path('server'))
  way = await lossy(server.url)
  const open = async (name: string, url: string) => {
    mkdirSync(room.path(name))
    process.chdir(room.path(name))
    return await openStore({ kind: 'http', url })
  }
  store = await open('one', way.url)
  others = await open('other', server.url)
  await migrate(store)
}, 120_000)
afterAll(async () => {
  for (const each of [store, others]) await each?.close()
  way?.close()
  await server?.stop()
  process.chdir(home)
  room.close()
})

const bodyOf = (name: string) => traceRequest(name, SPANS)

const submit = (gatherer: Gatherer, cluster: string, name: string) =>
  gatherer.submit({
    source: findSource('otlp-traces'),
    framing: 'protobuf',
    origin: operator(cluster),
    receiver: 'otlp_http',
    bytes: bodyOf(name),
    records: SPANS,
    hold: gatherer.admit('operator', 'traces'),
  })

/** How often each request of a cluster is stored, in the order of their names. */
async function times(cluster: string): Promise<number[]> {
  const rows = await query<{ n: number }>(
    others.reads,
    `SELECT count() / ${SPANS} AS n FROM span WHERE cluster = {cluster:String} GROUP BY trace_id ORDER BY n DESC`,
    { cluster },
  )
  return rows.map(({ n }) => n)
}

const isInsert = (sql: string) => sql.includes('INSERT INTO parsed_span')

/** One process takes requests, at once; what happens `before` they come and after is given the other one. */
async function whileOneSends(
  cluster: string,
  names: string[],
  meanwhile: (other: Gatherer) => Promise<void>,
  before = () => {},
): Promise<void> {
  const patience = { answerWithinMs: 60_000 }
  const one = await createGatherer(store, createCommitter(store), patience)
  const other = await createGatherer(others, createCommitter(others), patience)
  before()
  const sent = Promise.all(names.map((name) => submit(one, cluster, name)))
  await meanwhile(other)
  const outcomes = await sent
  await Promise.all([one.close(), other.close()])
  way.lose = () => undefined
  expect(outcomes.map(({ accepted }) => accepted)).toEqual(names.map(() => SPANS))
  expect(filesBelow(join(store.dataDir, 'spool'))).toEqual([])
}

test('an answer is lost, and another process takes one of the requests meanwhile: its neighbours count once', async () => {
  const took = Promise.withResolvers<Gatherer>()
  let lost = 0
  way.lose = async (sql) => {
    if (!isInsert(sql) || lost++ > 0) return undefined
    await submit(await took.promise, 'meanwhile', 'a')
    return 'reset'
  }
  await whileOneSends('meanwhile', ['a', 'b', 'c'], async (other) => took.resolve(other))
  expect(lost).toBe(2)
  // `a` was at work on at two places at once, which may count twice (receivers/README.md); its neighbours were not.
  expect((await times('meanwhile')).slice(-2)).toEqual([1, 1])
}, 60_000)

test('the store is away for one process; what it inserts of its chunk later, and hears nothing of, counts once', async () => {
  const to = way.to
  let lost = 0
  way.lose = (sql) => (isInsert(sql) && lost++ === 0 ? 'reset' : undefined)
  const meanwhile = async (other: Gatherer) => {
    for (const name of ['a', 'c']) await submit(other, 'later', name)
    way.to = to
  }
  await whileOneSends('later', ['a', 'b', 'c', 'd'], meanwhile, () => {
    way.to = 'http://127.0.0.1:1'
  })
  expect(lost).toBe(2)
  expect(await times('later')).toEqual([1, 1, 1, 1])
}, 60_000)

test('killed between a division and the removal of the chunk, it is in the spool twice and counts once', async () => {
  const requests = ['a', 'b'].map((name) => ({
    id: name.charCodeAt(0).toString(16).padStart(32, '0'),
    body: bodyOf(name),
  }))
  const parts = requests.map(({ id, body }) => ({ id, bytes: body.length, records: SPANS }))
  const note: Note = {
    source: 'otlp-traces',
    framing: 'protobuf',
    origin: operator('twice'),
    token: 'whole',
    lines: 0,
    parts,
  }
  const spool = openSpool<Note>(join(store.dataDir, 'spool'), false)
  spool.add(Buffer.concat(requests.map(({ body }) => body)), note, false)
  for (const [index, { body }] of requests.entries())
    spool.add(body, { ...note, token: `whole.${index}`, parts: parts.slice(index, index + 1), of: 'whole' }, false)
  expect(await createCommitter(store).recover()).toEqual({ inserted: 1, failed: [] })
  expect(await times('twice')).toEqual([1, 1])
  expect(filesBelow(join(store.dataDir, 'spool'))).toEqual([])
}, 60_000)

test('a file that has grown, while what was read of it waits in the spool', async () => {
  const all = generateText(3, 300)
  const log = room.path('grown.log')
  const load = async () => {
    const committer = createCommitter(store)
    const { failed } = await committer.recover()
    await ingest(store, committer, findSource('istio-text'), operator('grown'), await openInput(log))
    return failed.length
  }
  const half = all.text.indexOf('\n', all.text.length / 2) + 1
  writeFileSync(log, all.text.slice(0, half))
  way.lose = (sql) => (sql.includes('INSERT INTO parsed_request') ? 'reset' : undefined)
  await expect(load()).rejects.toThrow()
  // The store takes nothing yet when the next one looks into the spool, and does when it reads the file.
  appendFileSync(log, all.text.slice(half))
  let lost = 0
  way.lose = (sql) => (sql.includes('INSERT INTO parsed_request') && lost++ === 0 ? 'reset' : undefined)
  expect(await load()).toBe(1)
  expect(await load()).toBe(0)
  const { accepted, rejected } = all
  const lines = { facts: accepted, distinct: accepted, operations: accepted, edges: accepted, accepted }
  expect(await storedOf(store, 'grown')).toEqual({ ...lines, rejects: rejected, rejected })
  expect(filesBelow(join(store.dataDir, 'spool'))).toEqual([])
}, 60_000)
