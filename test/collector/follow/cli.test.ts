import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { expectError, runHere, type Served, scratch, startServe } from '../../support/cli.ts'
import { generateText } from '../lines.ts'

const MAIN = join(import.meta.dirname, '../../../services/cli/main.ts')
const room = scratch('follow-cli')
let served: Served | undefined
afterEach(async () => {
  await served?.stop('SIGKILL')
  served = undefined
})
afterAll(() => room.close())

const sourceOf = async (store: string) => {
  const ran = await runHere(['sources', '--json'], { store: room.path(store) })
  const { sources } = ran.json<{ sources: { id: string; facts: number; rejected: number; streams: object[] }[] }>()
  const found = sources.find(({ id }) => id === 'istio-text')
  return { facts: found?.facts, rejected: found?.rejected, streams: found?.streams }
}

test('cinch ingest --follow goes on until it is stopped, and then says what it did', async () => {
  const all = generateText(51, 300)
  const log = room.path('a.log')
  writeFileSync(log, all.text.slice(0, 20_000))
  const args = ['ingest', '--source', 'istio-text', '--follow', '--json', room.path('*.log')]
  const child = spawn(process.execPath, [MAIN, ...args, '--store', `chdb:${room.path('ingest')}`], { stdio: 'pipe' })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (part) => out.push(part))
  child.stderr.on('data', (part) => err.push(part))
  const closed = once(child, 'close')
  await expect.poll(() => String(Buffer.concat(err)), { timeout: 30_000 }).toContain('following')
  renameSync(log, room.path('a.log.1'))
  appendFileSync(room.path('a.log.1'), all.text.slice(20_000))
  await new Promise((resolve) => setTimeout(resolve, 4000))
  child.kill('SIGTERM')
  const [code] = await closed
  expect(JSON.parse(String(Buffer.concat(out)))).toMatchObject({
    read: all.lines,
    accepted: all.accepted,
    rejected: all.rejected,
    bytes: all.text.length,
  })
  expect(code).toBe(1)
  const { facts, rejected } = await sourceOf('ingest')
  expect({ facts, rejected }).toEqual({ facts: all.accepted, rejected: all.rejected })
}, 60_000)

test('cinch serve --follow feeds the graph, and the sources say how fresh it is', async () => {
  const all = generateText(52, 200)
  const log = room.path('served.txt')
  const service = await startServe(room.path('serve'), ['--follow', `istio-text@east=${room.path('served.*')}`])
  served = service
  writeFileSync(log, all.text)
  await expect.poll(async () => (await sourceOf('serve')).facts, { timeout: 30_000 }).toBe(all.accepted)
  const { streams } = await sourceOf('serve')
  expect(streams).toMatchObject([
    { sender: 'operator', cluster: 'east', state: 'learning', facts: all.accepted, rejected: all.rejected },
  ])
  const text = await runHere(['sources'], { store: room.path('serve') })
  expect(text.stdout).toMatch(/istio-text +operator +east +2026-11-2\d.* learning\n/)
  // The store has the facts a moment before the chunk is done with, and counted.
  const accepted = `cinch_ingest_accepted_total{source="istio-text",sender="operator",receiver="follow"} ${all.accepted}\n`
  await expect.poll(async () => await (await service.get('/metrics')).text(), { timeout: 10_000 }).toContain(accepted)
  const metrics = await (await service.get('/metrics')).text()
  expect(metrics).toContain('cinch_follow_files{source="istio-text",sender="operator",cluster="east"} 1\n')
  expect(metrics).toContain('cinch_follow_lag_bytes{source="istio-text",sender="operator",cluster="east"} 0\n')
  // While it serves the store, nobody else can follow into it.
  const other = await runHere(['ingest', '--source', 'istio-text', '--follow', log], { store: room.path('serve') })
  expect(other.stderr).toMatch(/^error store_busy: /m)
  expect(other.code).toBe(3)
}, 60_000)

test.each([
  ['bad_option', ['serve', '--port', '0', '--follow', 'no-equals']],
  ['bad_option', ['serve', '--port', '0', '--follow', 'kubernetes-objects=x.yaml']],
  ['unknown_source', ['serve', '--port', '0', '--follow', 'nothing=x.log']],
  ['usage', ['ingest', '--source', 'istio-text', '--follow', '-']],
  ['bad_option', ['ingest', '--source', 'kubernetes-objects', '--follow', 'x.yaml']],
])('what cannot be followed is refused: %s, %j', async (code, args) => {
  expectError(await runHere(args, { store: room.path('bad') }), code, 2)
  // Before anything is opened.
  expect(existsSync(room.path('bad'))).toBe(false)
})
