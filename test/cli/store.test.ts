import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { expectError, runCli, runHere, scratch } from '../support/cli.ts'
import { accessLine } from '../support/telemetry.ts'

const room = scratch('store')
afterAll(() => room.close())

/** A process that lives until it is told to end, and one that has ended. */
async function processes() {
  const living = spawn(process.execPath, ['-e', 'process.stdin.resume()'])
  const dead = spawn(process.execPath, ['-e', ''])
  await once(dead, 'close')
  return { living, dead }
}

function hold(name: string, pid: number | undefined): string {
  const dir = room.path(name)
  mkdirSync(dir, { recursive: true })
  writeFileSync(`${dir}/holder.json`, JSON.stringify({ pid }))
  return dir
}

describe('where the store is', () => {
  test('--store, CINCH_STORE and the default, in this order', async () => {
    const cwd = room.path('work')
    mkdirSync(cwd)
    const env = { CINCH_STORE: `chdb:${room.path('from-environment')}` }
    await runCli(['migrate'], { cwd, env: { CINCH_STORE: 'chdb:./relative' } })
    expect(existsSync(room.path('work', 'relative', 'data'))).toBe(true)
    await runCli(['migrate'], { cwd, env, store: room.path('given') })
    expect(existsSync(room.path('given', 'data'))).toBe(true)
    expect(existsSync(room.path('from-environment'))).toBe(false)
    const { CINCH_STORE: _, ...rest } = process.env
    const child = spawn(
      process.execPath,
      [new URL('../../services/cli/main.ts', import.meta.url).pathname, 'migrate'],
      {
        cwd,
        env: rest,
      },
    )
    await once(child, 'close')
    expect(existsSync(room.path('work', '.cinch', 'data'))).toBe(true)
  })

  test.each(['', 'chdb:', 'sqlite:x', '/tmp', 'http://', 'https://['])('%j names no store', async (text) => {
    expectError(await runHere(['sources', '--store', text]), 'store_location', 2)
  })

  test('a server that does not answer is a missing dependency, and its password stays out of the message', async () => {
    const ran = await runCli(['sources', '--store', 'http://cinch:hushhush@127.0.0.1:9/x'], { cwd: room.dir })
    expectError(ran, 'store_unavailable', 3)
    expect(ran.stderr).not.toContain('hushhush')
  })

  test('a directory that cannot be made', async () => {
    writeFileSync(room.path('file'), '')
    expectError(await runCli(['sources'], { store: room.path('file', 'store') }), 'store_unavailable', 3)
  })

  test("migrate says what it applied, then that nothing is left; the directory is its owner's only", async () => {
    const store = room.path('fresh')
    const first = await runCli(['migrate', '--json'], { store })
    expect(first.json<{ applied: number[] }>().applied.slice(0, 4)).toEqual([1, 2, 3, 4])
    expect((await runCli(['migrate', '--json'], { store })).json()).toEqual({ applied: [] })
    expect(statSync(store).mode & 0o777).toBe(0o700)
  })
})

describe('who holds the store', () => {
  test('a living process: store_busy, and nothing of it is touched', async () => {
    const { living } = await processes()
    try {
      const dir = hold('busy', living.pid)
      const ran = await runCli(['sources'], { store: dir })
      expectError(ran, 'store_busy', 3)
      expect(ran.stderr).toContain(`process ${living.pid}`)
      expect(JSON.parse(readFileSync(`${dir}/holder.json`, 'utf8'))).toEqual({ pid: living.pid })
    } finally {
      living.kill()
    }
  })

  test('a dead one holds nothing, and the lock is released after each command', async () => {
    const { living, dead } = await processes()
    living.kill()
    const dir = hold('left', dead.pid)
    const ran = await runCli(['ingest', '--source', 'istio-json', '--json', '-'], { store: dir, input: accessLine() })
    expect(ran.json()).toMatchObject({ accepted: 1 })
    expect(existsSync(`${dir}/holder.json`)).toBe(false)
  })

  test("an unreadable note of the holder is nobody's", async () => {
    const dir = hold('torn', 1)
    writeFileSync(`${dir}/holder.json`, '{"pid":')
    expect((await runCli(['sources'], { store: dir })).code).toBe(0)
  })

  test('a holder that serves and is gone the moment it is asked', async () => {
    const { living } = await processes()
    try {
      const dir = hold('gone', living.pid)
      writeFileSync(`${dir}/holder.json`, JSON.stringify({ pid: living.pid, url: 'http://127.0.0.1:9' }))
      const untold = await runCli(['sources'], { store: dir })
      expect(untold.stderr).toContain('error unauthorized')
      writeFileSync(`${dir}/admin-token`, 'x\n')
      const ran = await runCli(['sources'], { store: dir })
      expect(ran.stderr).toContain(`served by process ${living.pid}`)
      expect(ran.stderr).toContain('error server_unreachable')
      expect(ran.code).toBe(3)
    } finally {
      living.kill()
    }
  })
})
