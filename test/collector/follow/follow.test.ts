import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Follower } from '../../../services/collector/receivers/follow.ts'
import { type Generated, generateText } from '../lines.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { expected, followText, stored } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('follow')
}, 60_000)
afterAll(() => store.close())

let name = ''
let count = 0
let log = ''
let follower: (Follower & { notes: string[] }) | undefined
beforeEach(() => {
  name = `case-${count++}`
  mkdirSync(join(store.dir, name))
  log = at('access.log')
})
afterEach(() => follower?.stop())

const at = (file: string) => join(store.dir, name, file)
const start = async (...patterns: string[]) => {
  follower = await followText(store, name, patterns.length > 0 ? patterns : [log])
  return follower
}
const restart = async (...patterns: string[]) => {
  await follower?.stop()
  return await start(...patterns)
}

/** Lines of their own, in parts: `all` is what they come to. */
function parts(seed: number, lines: number, count: number): { all: Generated; part: string[] } {
  const all = generateText(seed * 1000 + count, lines)
  const each = all.text.split(/(?<=\n)/)
  const size = Math.ceil(each.length / count)
  return {
    all,
    part: Array.from({ length: count }, (_, index) => each.slice(index * size, (index + 1) * size).join('')),
  }
}

/** Small files are known by all that they have, large ones by their first 64 KiB. */
describe.each([60, 1500])('a file of %i lines', (lines) => {
  test('grows, and is renamed while it is written to', async () => {
    const { all, part } = parts(1, lines, 5)
    const following = await start()
    writeFileSync(log, part[0]!)
    await following.caughtUp()
    appendFileSync(log, part[1]!)
    renameSync(log, at('access.log.1'))
    // The writer has it open still, and writes there until it is told to open the new one.
    appendFileSync(at('access.log.1'), part[2]!)
    writeFileSync(log, part[3]!)
    await following.caughtUp()
    renameSync(at('access.log.1'), at('access.log.2'))
    renameSync(log, at('access.log.1'))
    writeFileSync(log, part[4]!)
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
    expect(following.counts()).toMatchObject({ accepted: all.accepted, rejected: all.rejected })
  })

  test('is copied and truncated', async () => {
    const { all, part } = parts(2, lines, 4)
    const following = await start(at('access.log*'))
    writeFileSync(log, part[0]!)
    await following.caughtUp()
    appendFileSync(log, part[1]!)
    copyFileSync(log, at('access.log.1'))
    truncateSync(log, 0)
    await following.caughtUp()
    appendFileSync(log, part[2]!)
    await following.caughtUp()
    copyFileSync(log, at('access.log.2'))
    truncateSync(log, 0)
    appendFileSync(log, part[3]!)
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test('is copied and truncated while only its own name is followed', async () => {
    const { all, part } = parts(3, lines, 3)
    const following = await start()
    writeFileSync(log, part[0]!)
    await following.caughtUp()
    appendFileSync(log, part[1]!)
    copyFileSync(log, at('access.log.1'))
    truncateSync(log, 0)
    appendFileSync(log, part[2]!)
    await following.caughtUp()
    // What was copied is found beside it when the look that sees the truncation comes.
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test.each(['gz', 'zst'])('is packed to .%s, and counts once', async (kind) => {
    const { all, part } = parts(kind === 'gz' ? 4 : 5, lines, 2)
    const following = await start(at('access.log*'))
    writeFileSync(log, part[0]!)
    await following.caughtUp()
    renameSync(log, at('access.log.1'))
    writeFileSync(log, part[1]!)
    const bytes = readFileSync(at('access.log.1'))
    const packed = kind === 'gz' ? gzipSync(bytes) : zstdCompressSync(bytes)
    // As it is written: empty, in part, whole, and the original goes.
    const path = at(`access.log.1.${kind}`)
    writeFileSync(path, '')
    await following.caughtUp()
    writeFileSync(path, packed.subarray(0, packed.length / 2))
    await following.caughtUp()
    writeFileSync(path, packed)
    unlinkSync(at('access.log.1'))
    await following.caughtUp()
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
    await restart(at('access.log*'))
    await follower!.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test('is rotated twice and packed while nobody looks', async () => {
    const { all, part } = parts(6, lines, 5)
    writeFileSync(at('access.log.9'), generateText(9, 20).text)
    const following = await start()
    writeFileSync(log, part[0]!)
    await following.caughtUp()
    await following.stop()
    appendFileSync(log, part[1]!)
    writeFileSync(at('access.log.2.gz'), gzipSync(readFileSync(log)))
    rmSync(log)
    await sleep(20)
    writeFileSync(at('access.log.1'), part[2]!)
    await sleep(20)
    writeFileSync(log, part[3]!)
    await start()
    await follower!.caughtUp()
    appendFileSync(log, part[4]!)
    await follower!.caughtUp()
    // access.log.9 is older than what was followed: nobody asked for it.
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test('is removed after its last lines were written', async () => {
    const { all, part } = parts(7, lines, 3)
    const following = await start()
    writeFileSync(log, part[0]!)
    await following.caughtUp()
    appendFileSync(log, part[1]!)
    unlinkSync(log)
    await following.caughtUp()
    writeFileSync(log, part[2]!)
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test('is behind a symbolic link that changes', async () => {
    const { all, part } = parts(8, lines, 4)
    mkdirSync(at('pods'))
    writeFileSync(at('pods/0.log'), part[0]!)
    symlinkSync(at('pods/0.log'), log)
    const following = await start()
    await following.caughtUp()
    appendFileSync(at('pods/0.log'), part[1]!)
    writeFileSync(at('pods/1.log'), part[2]!)
    rmSync(log)
    symlinkSync(at('pods/1.log'), log)
    await following.caughtUp()
    // The kubelet rotates beside the target, with the time in the name.
    renameSync(at('pods/1.log'), at('pods/1.log.20261124-120000'))
    writeFileSync(at('pods/1.log'), part[3]!)
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
  })
})

describe('a line', () => {
  test('that is cut is waited for, wherever it is cut', async () => {
    const all = generateText(21, 30)
    const following = await start()
    const bytes = Buffer.from(all.text)
    for (let from = 0; from < bytes.length; from += 977) {
      appendFileSync(log, bytes.subarray(from, from + 977))
      await following.caughtUp()
    }
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test('without its end is a line when its file was rotated away and stays quiet', async () => {
    const all = generateText(22, 30)
    const following = await start()
    writeFileSync(log, all.text.trimEnd())
    await following.caughtUp()
    expect((await stored(store, name)).facts).toBeLessThan(all.accepted)
    renameSync(log, at('access.log.1'))
    await expect.poll(() => following.counts().accepted, { timeout: 10_000 }).toBe(all.accepted)
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test('without its end that was begun before a stop is whole after it', async () => {
    const all = generateText(23, 400)
    const following = await start()
    writeFileSync(log, all.text.slice(0, 40_007))
    await following.caughtUp()
    await restart()
    appendFileSync(log, all.text.slice(40_007))
    await follower!.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
  })

  test('longer than any line is cut and rejected, and the next ones are read', async () => {
    const all = generateText(24, 20)
    const following = await start()
    writeFileSync(log, Buffer.alloc(3 << 20, 'x'))
    await following.caughtUp()
    appendFileSync(log, `\n${all.text}`)
    await following.caughtUp()
    const { facts, rejects } = await stored(store, name)
    expect(facts).toBe(all.accepted)
    expect(rejects).toBeGreaterThan(all.rejected)
  })
})

describe('files', () => {
  test('that begin with the same lines are each read', async () => {
    const banner = 'level=info msg="started"\n'
    const { all, part } = parts(31, 200, 4)
    const following = await start(at('*.log'))
    for (const file of ['a.log', 'b.log']) writeFileSync(at(file), banner)
    await following.caughtUp()
    appendFileSync(at('a.log'), part[0]!)
    appendFileSync(at('b.log'), part[1]!)
    await following.caughtUp()
    appendFileSync(at('b.log'), part[2]!)
    await following.caughtUp()
    appendFileSync(at('a.log'), part[3]!)
    await following.caughtUp()
    const { facts, distinct } = await stored(store, name)
    expect({ facts, distinct }).toEqual({ facts: all.accepted, distinct: all.accepted })
    await restart(at('*.log'))
    await follower!.caughtUp()
    expect((await stored(store, name)).facts).toBe(all.accepted)
  })

  test('that are there, that come, that are no files, and that cannot be read', async () => {
    const { all, part } = parts(32, 300, 3)
    mkdirSync(at('sub'))
    mkdirSync(at('sub/directory.log'))
    writeFileSync(at('sub/a.log'), part[0]!)
    symlinkSync(at('sub/nowhere'), at('sub/dangling.log'))
    const following = await start(at('**/*.log'), at('later.txt'))
    await following.caughtUp()
    writeFileSync(at('sub/b.log'), part[1]!)
    writeFileSync(at('later.txt'), part[2]!)
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
    expect(following.notes).toEqual([])
  })

  test('by the thousand are one commit, not a thousand', async () => {
    const { all, part } = parts(33, 6000, 6000)
    for (const [index, text] of part.entries()) writeFileSync(at(`pod-${index}.log`), text)
    const following = await start(at('pod-*.log'))
    await following.caughtUp()
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
    const [{ batches } = { batches: 0 }] = await store.rows<{ batches: number }>(
      "SELECT uniqExact(splitByChar('#', batch)[1]) AS batches FROM ingest_batch WHERE cluster = {name:String}",
      { name },
    )
    expect(batches).toBeLessThan(10)
    // What is read by cinch ingest later is known.
    expect(await store.path('istio-text', at('pod-7.log'), name)).toMatchObject({ read: 0 })
  }, 120_000)

  test('that were loaded by cinch ingest go on where they were', async () => {
    const { all, part } = parts(34, 900, 2)
    writeFileSync(log, part[0]!)
    await store.path('istio-text', log, name)
    appendFileSync(log, part[1]!)
    await start()
    await follower!.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
  })
})
