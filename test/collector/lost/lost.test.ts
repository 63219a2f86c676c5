import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCommitter } from '../../../services/collector/commit.ts'
import { migrate } from '../../../services/store/migrate.ts'
import { openStore, type Store } from '../../../services/store/store.ts'
import { startTestServer, type TestServer } from '../../store/start-server.ts'
import { scratch } from '../../support/cli.ts'
import { runKilled } from '../../support/killed.ts'
import { filesBelow } from '../support.ts'
import { LOSSES, type Loss, type Lossy, lossy } from './lossy.ts'
import { storedOf, WAYS } from './ways.ts'

/*
 * A store on a server that does what it is asked for, and whose answer is lost: at every statement of every way in. The same
 * while the store is started anew meanwhile, and while Cinch is killed at that moment. What is stored is exact each time.
 */

const CHILD = fileURLToPath(new URL('kill-child.ts', import.meta.url))
/** Processes after which it should have come to an end. */
const PROCESSES_MAX = 5

const room = scratch('lost')
const home = process.cwd()
let server: TestServer
let way: Lossy
let store: Store
beforeAll(async () => {
  process.chdir(room.dir)
  server = await startTestServer(room.path('server'))
  way = await lossy(server.url)
  store = await openStore({ kind: 'http', url: way.url })
  await migrate(store)
  mkdirSync(room.path('files'))
}, 120_000)
afterAll(async () => {
  await store?.close()
  way?.close()
  await server?.stop()
  process.chdir(home)
  room.close()
})

/** Takes a way's telemetry in under this name, with another process whenever one gives up. */
async function takeIn(name: string, kind: string): Promise<void> {
  for (let processes = 0; processes < PROCESSES_MAX; processes++) {
    const committer = createCommitter(store)
    try {
      const { failed } = await committer.recover()
      if (failed.length > 0) continue
      await WAYS[kind]?.take({ store, committer, dir: room.path('files'), name })
      return
    } catch {
      // The next one finds what it left.
    }
  }
  throw new Error(`${name} does not come to an end`)
}

/** The statements that take in a way's telemetry, where nothing is lost. */
async function statementsOf(kind: string, name: string, take: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = []
  way.lose = (sql) => void statements.push(sql)
  await take()
  await isExact(kind, name)
  return statements
}

/** Of each kind of INSERT the first one, by its place among the statements. */
function inserts(statements: string[]): number[] {
  const kindOf = (sql: string) =>
    sql.replaceAll(/\s+/g, ' ').slice(0, 40) + (sql.includes('unwrap_reject FROM') ? '1' : '2')
  const kinds = statements.map((sql) => (sql.includes('INSERT') ? kindOf(sql) : ''))
  return kinds.flatMap((kind, at) => (kind !== '' && kinds.indexOf(kind) === at ? [at] : []))
}

async function isExact(kind: string, name: string): Promise<void> {
  way.lose = () => undefined
  expect(await storedOf(store, name), name).toEqual(WAYS[kind]?.truth)
  expect(filesBelow(join(store.dataDir, 'spool')), name).toEqual([])
}

/** Does something at one statement, once the store has done it; its answer is lost. */
function at(place: number, happens: () => Promise<Loss>): void {
  let index = 0
  way.lose = () => (index++ === place ? happens() : undefined)
}

describe.each(Object.keys(WAYS))('%s', (kind) => {
  test('the answer to any statement is lost, in any way', async () => {
    const whole = `${kind} whole`
    const statements = await statementsOf(kind, whole, () => takeIn(whole, kind))
    const losses = Object.keys(LOSSES) as Loss[]
    const first = inserts(statements)
    for (const place of statements.keys()) {
      // Each kind of INSERT loses its answer in every way, whatever else there is in one of them.
      const turn = place % losses.length
      for (const loss of first.includes(place) ? losses : losses.slice(turn, turn + 1)) {
        const name = `${kind} ${place} ${loss}`
        at(place, async () => loss)
        await takeIn(name, kind)
        await isExact(kind, name)
      }
    }
  }, 600_000)

  test('the store is started anew after an insert whose answer is lost', async () => {
    const whole = `${kind} again`
    for (const place of inserts(await statementsOf(kind, whole, () => takeIn(whole, kind)))) {
      const name = `${kind} ${place} anew`
      at(place, async () => {
        await server.stop()
        server = await startTestServer(room.path('server'))
        way.to = server.url
        return 'reset'
      })
      await takeIn(name, kind)
      await isExact(kind, name)
    }
  }, 600_000)

  test('Cinch is killed when an insert is done and it has not heard of it', async () => {
    const run = (name: string, when?: Promise<void>) => runKilled(CHILD, [way.url, kind, name, room.dir], when)
    const whole = `${kind} child`
    for (const place of inserts(await statementsOf(kind, whole, () => run(whole)))) {
      const name = `${kind} ${place} killed`
      const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
      const { promise: gone, resolve: go } = Promise.withResolvers<void>()
      at(place, async () => {
        reach()
        await gone
        return 'reset'
      })
      expect((await run(name, reached)).killed, name).toBe(true)
      go()
      way.lose = () => undefined
      await run(name)
      await isExact(kind, name)
    }
  }, 600_000)
})
