import { spawn } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { openStore, query } from '../../../services/store/store.ts'
import { generateText, seeded } from '../lines.ts'
import { filesBelow } from '../support.ts'

const SEED = Number(process.env['CINCH_KILL_SEED'] ?? 5)
const KILLS = Number(process.env['CINCH_FOLLOW_KILLS'] ?? 8)
const CHILD = fileURLToPath(new URL('kill-child.ts', import.meta.url))

const dir = mkdtempSync(join(tmpdir(), 'cinch-follow-kill-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A program that writes a log in pieces that end anywhere, and the logrotate beside it. */
function createWriter(name: string, seed: number, rotation: 'rename' | 'copytruncate') {
  const random = seeded(seed)
  const below = (n: number) => Math.floor(random() * n)
  const log = join(dir, name, 'access.log')
  mkdirSync(join(dir, name))
  writeFileSync(log, '')
  const total = { accepted: 0, rejected: 0, rotations: 0 }
  let generation = 0
  let left = ''
  const rotate = () => {
    total.rotations++
    for (let index = total.rotations; index >= 1; index--)
      for (const ending of ['', '.gz'])
        if (existsSync(`${log}.${index}${ending}`))
          renameSync(`${log}.${index}${ending}`, `${log}.${index + 1}${ending}`)
    if (rotation === 'rename') {
      renameSync(log, `${log}.1`)
      writeFileSync(log, '')
    } else {
      copyFileSync(log, `${log}.1`)
      truncateSync(log)
    }
    // delaycompress: the one before the newest is packed, with its own time, and goes.
    const old = `${log}.2`
    if (below(2) === 0 || !existsSync(old)) return
    writeFileSync(`${old}.gz`, gzipSync(readFileSync(old)))
    const { atime, mtime } = statSync(old)
    utimesSync(`${old}.gz`, atime, mtime)
    rmSync(old)
  }
  return {
    total,
    log,
    step: () => {
      if (left === '') {
        const generated = generateText(seed * 100_000 + generation++, 1 + below(40))
        total.accepted += generated.accepted
        total.rejected += generated.rejected
        left = generated.text
      }
      const length = below(4) === 0 ? left.length : 1 + below(left.length)
      appendFileSync(log, left.slice(0, length))
      left = left.slice(length)
      if (left === '' && below(12) === 0) rotate()
    },
    finish: () => appendFileSync(log, left),
  }
}

function startChild(followed: string[]) {
  const child = spawn(process.execPath, [CHILD, join(dir, 'store'), ...followed], { stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (bytes) => {
    output += bytes
  })
  child.stderr.on('data', (bytes) => {
    output += bytes
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return { child, ended, output: () => output }
}

test(`killed with SIGKILL while logs are written and rotated, following counts every line once (seed ${SEED}, ${KILLS} kills)`, async () => {
  const random = seeded(SEED)
  const writers = [
    createWriter('rename', SEED * 10 + 1, 'rename'),
    createWriter('copy', SEED * 10 + 2, 'copytruncate'),
    createWriter('globbed', SEED * 10 + 3, 'rename'),
  ]
  const followed = writers.map(({ log }, index) => `c${index}=${log}${index === 2 ? '*' : ''}`)
  let recovered = 0
  for (let kill = 0; kill <= KILLS; kill++) {
    const last = kill === KILLS
    const running = startChild(followed)
    // Counted from when it has the store: a kill before that proves nothing. What was there before the first one followed
    // was not asked for.
    while (!running.output().includes(kill === 0 ? 'following' : 'open') && running.child.exitCode === null)
      await sleep(5)
    const until = performance.now() + random() ** 1.5 * 2500
    while (performance.now() < until) {
      for (const writer of writers) writer.step()
      await sleep(Math.floor(random() * 15))
    }
    if (last) {
      for (const writer of writers) writer.finish()
      running.child.stdin.end()
    } else running.child.kill('SIGKILL')
    await running.ended
    recovered += Number(/recovered (\d+)/.exec(running.output())?.[1] ?? 0)
    if (last) expect(running.output()).toMatch(/^open\nrecovered \d+\nfollowing\ndone\n$/)
    // Rotation goes on while nobody looks.
    for (let step = 0; step < 30 && !last; step++) for (const writer of writers) writer.step()
  }
  const store = await openStore({ kind: 'chdb', dir: join(dir, 'store') })
  try {
    const rows = await query(
      store.reads,
      'SELECT cluster, count() AS facts, uniqExact(path, user_agent) AS distinct FROM request GROUP BY cluster ORDER BY cluster',
    )
    expect(rows).toEqual(
      writers.map(({ total }, index) => ({ cluster: `c${index}`, facts: total.accepted, distinct: total.accepted })),
    )
    const rejects = await query(
      store.reads,
      'SELECT cluster, count() AS rejects FROM rejected_line GROUP BY cluster ORDER BY cluster',
    )
    expect(rejects).toEqual(writers.map(({ total }, index) => ({ cluster: `c${index}`, rejects: total.rejected })))
    expect(filesBelow(join(dir, 'store', 'spool'))).toEqual([])
  } finally {
    await store.close()
  }
  for (const { total } of writers) expect(total.rotations).toBeGreaterThan(KILLS / 2)
  expect(recovered).toBeGreaterThan(0)
}, 300_000)
