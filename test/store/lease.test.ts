import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createCommitter } from '../../services/collector/commit.ts'
import { ingestRequest } from '../../services/collector/ingest.ts'
import { operator } from '../../services/collector/origin.ts'
import { findSource } from '../../services/collector/sources/index.ts'
import { query, run, type Store } from '../../services/store/store.ts'
import { accessLine } from '../support/telemetry.ts'
import { openOnServer, type TestServer } from './start-server.ts'

const dir = mkdtempSync(join(tmpdir(), 'cinch-lease-'))
let opened: Awaited<ReturnType<typeof openOnServer>>
let server: TestServer
let store: Store
beforeAll(async () => {
  opened = await openOnServer(dir)
  ;({ server, store } = opened)
}, 120_000)
afterAll(async () => {
  await opened?.close()
  rmSync(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  await run(store.jobs, 'DROP TABLE IF EXISTS counted')
  await run(store.jobs, 'CREATE TABLE counted (n UInt32, pid UInt32) ENGINE = MergeTree ORDER BY n')
})

function start(
  script: string,
  ...args: string[]
): { child: ChildProcess; output(): string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, script), server.url, ...args], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout?.on('data', (bytes) => {
    output += bytes
  })
  return { child, output: () => output, ended: once(child, 'close').then(([code]) => code as number | null) }
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await sleep(20)
}

const numbers = async () =>
  (await query<{ n: number }>(store.reads, 'SELECT n FROM counted ORDER BY n')).map(({ n }) => n)
const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1)

test('four processes that want it at once have it one after another', async () => {
  const children = Array.from({ length: 4 }, () => start('lease-child.ts', '30000', '5', '5'))
  expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([0, 0, 0, 0])
  expect(await numbers()).toEqual(upTo(20))
}, 120_000)

test('of one that was killed it is over in time; until then nobody has it', async () => {
  const dead = start('lease-child.ts', '4000', '1', '60000')
  await until(() => dead.output().includes('open'))
  const from = Date.now()
  dead.child.kill('SIGKILL')
  await dead.ended
  const next = start('lease-child.ts', '4000', '1', '0')
  expect(await next.ended).toBe(0)
  expect(Date.now() - from).toBeGreaterThan(3_000)
  expect(await numbers()).toEqual([1])
}, 120_000)

test('one that was stopped for longer than its term learns that it has it no longer, and writes nothing', async () => {
  const stopped = start('lease-child.ts', '2000', '1', '50')
  await until(() => stopped.output().includes('open'))
  stopped.child.kill('SIGSTOP')
  const next = start('lease-child.ts', '30000', '1', '0')
  expect(await next.ended).toBe(0)
  stopped.child.kill('SIGCONT')
  expect(await stopped.ended).toBe(0)
  expect(stopped.output()).toContain('lost')
  expect(await query(store.reads, 'SELECT n, pid FROM counted')).toEqual([{ n: 1, pid: next.child.pid }])
}, 120_000)

test('two analyzers that learn at once learn each callee once', async () => {
  const CALLEES = 6
  const lines = upTo(CALLEES).flatMap((callee) =>
    upTo(40).map((user) => accessLine({ to: `shop/users-${callee}`, path: `/users/name-of-${user}/orders` })),
  )
  await ingestRequest(
    store,
    createCommitter(store),
    findSource('istio-json'),
    operator(),
    Buffer.from(lines.join('\n')),
  )
  const analyzers = [start('learn-child.ts', '3'), start('learn-child.ts', '3')]
  expect(await Promise.all(analyzers.map(({ ended }) => ended))).toEqual([0, 0])
  const learned = analyzers.map(({ output }) => Number(/learned (\d+)/.exec(output())?.[1]))
  expect(learned.reduce((sum, n) => sum + n, 0)).toBe(CALLEES)
  const sets = await query(
    store.reads,
    'SELECT callee, count() AS written, max(s.version) AS version, max(s.templates) AS templates FROM template_set AS s GROUP BY callee ORDER BY callee',
  )
  expect(sets).toEqual(
    upTo(CALLEES).map((callee) => ({ callee: `shop/users-${callee}`, written: 1, version: 1, templates: 1 })),
  )
  const changes = await query(store.reads, 'SELECT count() AS n FROM template_change')
  expect(changes).toEqual([{ n: CALLEES }])
}, 120_000)
