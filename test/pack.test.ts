import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SOURCES } from '../services/collector/sources/index.ts'

const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'cinch-pack-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** The environment of somebody who is not inside of `npm test`, where npm passes its own settings on. */
const outside = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) && name !== 'CINCH_STORE'),
)

function sh(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, { cwd, env: outside, encoding: 'utf8', maxBuffer: 64 << 20 })
}

describe('the packed file', { timeout: 300_000 }, () => {
  const home = join(scratch, 'home')
  let packed: string[]

  beforeAll(() => {
    const [made] = JSON.parse(
      sh('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], build()),
    ) as [{ filename: string; files: { path: string }[] }]
    packed = made.files.map(({ path }) => path)
    mkdirSync(home)
    writeFileSync(
      join(home, 'package.json'),
      JSON.stringify({ private: true, allowScripts: { node: true, chdb: true } }),
    )
    sh('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(scratch, made.filename)], home)
  }, 600_000)

  /** Builds in a copy, so that no half-built `dist` is seen by the other tests (and the repository's own stays as it is). */
  function build(): string {
    const copy = join(scratch, 'copy')
    const left = new Set(['node_modules', '.git', 'dist', '.cinch'].map((name) => join(root, name)))
    cpSync(root, copy, { recursive: true, filter: (path) => !left.has(path) && path !== join(root, 'web/dist') })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    sh(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], copy)
    sh(process.execPath, ['node_modules/vite/bin/vite.js', 'build', 'web', '--logLevel', 'error'], copy)
    return copy
  }

  test('has what is read at run time, and nothing of the tests', () => {
    for (const needed of [
      'services/cli/bin.js',
      'dist/services/cli/main.js',
      'migrations/0001_request_facts.sql',
      'services/collector/sources/istio-json/mapping.sql',
      'services/collector/sources/otlp-traces/schema.proto',
      'web/dist/index.html',
      'LICENSE',
    ]) {
      expect(packed).toContain(needed)
    }
    expect(packed.filter((path) => /\.ts$|\.svelte$|^test\/|samples\/|\.test\./.test(path))).toEqual([])
  })

  test('installed elsewhere, `npx cinch` lists the sources', () => {
    const listed = JSON.parse(
      sh('npx', ['cinch', 'sources', '--json', '--store', `chdb:${join(scratch, 'store')}`], home),
    ) as { id: string }[] | { sources: { id: string }[] }
    const sources = Array.isArray(listed) ? listed : listed.sources
    expect(sources.map(({ id }) => id)).toEqual(SOURCES.map(({ id }) => id))
  })

  test('installed elsewhere, it migrates and ingests', () => {
    const store = ['--store', `chdb:${join(scratch, 'store')}`]
    sh('npx', ['cinch', 'migrate', ...store], home)
    const file = join(scratch, 'access.log')
    writeFileSync(
      file,
      '{"start_time":"2026-11-05T10:00:00.000Z","method":"GET","path":"/","protocol":"HTTP/1.1","response_code":200,"authority":"orders","upstream_cluster":"outbound|80||orders.shop.svc.cluster.local"}\n',
    )
    const result = JSON.parse(
      sh('npx', ['cinch', 'ingest', '--source', 'istio-json', '--json', ...store, file], home),
    ) as { read: number }
    expect(result).toMatchObject({ read: 1 })
  })
})

/** A package whose main says what it was given and ends as it is told. */
describe('the launcher', () => {
  const main = `
    const [how, ...rest] = process.argv.slice(2)
    if (how === 'wait') for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { console.log(signal); process.exit(5) })
    if (how === 'fail') process.exit(7)
    if (how === 'die') process.kill(process.pid, 'SIGKILL')
    console.log(JSON.stringify({ node: process.versions.node, pool: process.env.UV_THREADPOOL_SIZE, rest }))
    if (how === 'wait' || how === 'hang') setInterval(() => {}, 1000)`

  /** @param kind whether the entry is the repository's source or the package's JavaScript, and whether `node` is installed */
  function lay(name: string, entry: string, withNode: boolean): string {
    const dir = join(scratch, name)
    const bin = join(dir, 'services/cli/bin.js')
    mkdirSync(dirname(bin), { recursive: true })
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
    cpSync(join(root, 'services/cli/bin.js'), bin)
    mkdirSync(dirname(join(dir, entry)), { recursive: true })
    writeFileSync(join(dir, entry), main)
    if (withNode) symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
    return bin
  }

  const source = lay('source', 'services/cli/main.ts', true)
  const start = (bin: string, args: string[], env = outside) =>
    spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', env })

  test('runs the source in the repository, JavaScript in the package, with the pool set before the start', () => {
    for (const bin of [source, lay('built', 'dist/services/cli/main.js', true)]) {
      const done = start(bin, ['ok', 'a b', '--json'])
      expect(JSON.parse(done.stdout)).toEqual({ node: readVersion(), pool: '16', rest: ['a b', '--json'] })
      expect(done.status).toBe(0)
    }
  })

  test('keeps a pool size that was set', () => {
    expect(JSON.parse(start(source, ['ok'], { ...outside, UV_THREADPOOL_SIZE: '32' }).stdout)).toMatchObject({
      pool: '32',
    })
  })

  test('without the package `node`, uses its own Node when that is new enough', () => {
    expect(start(lay('alone', 'services/cli/main.ts', false), ['ok']).status).toBe(0)
  })

  test('ends as its child does', () => {
    expect(start(source, ['fail']).status).toBe(7)
    expect(start(source, ['die']).signal).toBe('SIGKILL')
  })

  test('passes signals on, and ends by the one that ended its child', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const waiting = await launched('wait')
      waiting.child.kill(signal)
      expect(await once(waiting.child, 'close')).toEqual([5, null])
      expect(waiting.output()).toContain(`\n${signal}\n`)
    }
    const hanging = await launched('hang')
    hanging.child.kill('SIGTERM')
    expect(await once(hanging.child, 'close')).toEqual([null, 'SIGTERM'])
  })

  async function launched(how: string): Promise<{ child: ChildProcess; output: () => string }> {
    const child = spawn(process.execPath, [source, how], { stdio: ['ignore', 'pipe', 'inherit'], env: outside })
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    while (!output.includes('\n')) await sleep(20)
    return { child, output: () => output }
  }

  const readVersion = () =>
    (JSON.parse(readFileSync(join(root, 'node_modules/node/package.json'), 'utf8')) as { version: string }).version

  /** Most systems bring one; where there is none, there is nobody to be told. */
  const old = ['/usr/bin/node', '/usr/local/bin/node'].find(
    (path) => existsSync(path) && /^v(1\d|20|22)\./.test(execFileSync(path, ['--version'], { encoding: 'utf8' })),
  )
  test.skipIf(!old)('an old Node without the package is told what to do', () => {
    const done = spawnSync(old ?? '', [lay('old', 'services/cli/main.ts', false), 'ok'], {
      encoding: 'utf8',
      env: outside,
    })
    expect(done.status).toBe(3)
    expect(done.stderr).toMatch(/^error engine_missing: Cinch needs Node 24/)
  })
})
