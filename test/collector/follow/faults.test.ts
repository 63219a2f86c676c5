import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Committer } from '../../../services/collector/commit.ts'
import { generateText } from '../lines.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { expected, followText, stored } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('follow-faults')
}, 60_000)
afterAll(() => store.close())

/** A committer whose spool or store refuses for a while. */
function failing(fault: { spool: boolean; insert: boolean }): Committer {
  return {
    ...store.committer,
    spool: async (chunk, note, sync) => {
      if (fault.spool) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      const insert = await store.committer.spool(chunk, note, sync)
      return async () => {
        if (fault.insert) throw new Error('the store is away')
        return await insert()
      }
    },
  }
}

test.each([
  ['the spool is full', { spool: true, insert: false }],
  ['the store is away', { spool: false, insert: true }],
])(
  'while %s nothing is lost, files are rotated, and it is said once',
  async (name, fault) => {
    const all = generateText(name.length, 400)
    const third = all.text.length / 3
    mkdirSync(join(store.dir, name))
    const log = join(store.dir, name, 'access.log')
    const following = await followText({ store: store.store, committer: failing(fault) }, name, [log])
    writeFileSync(log, all.text.slice(0, third))
    await expect.poll(() => following.notes, { timeout: 10_000 }).toHaveLength(1)
    expect(following.notes[0]).toMatch(/^the (spool|store) takes no lines now, and is asked again: /)
    appendFileSync(log, all.text.slice(third, 2 * third))
    renameSync(log, `${log}.1`)
    appendFileSync(`${log}.1`, all.text.slice(2 * third))
    expect((await stored(store, name)).facts).toBe(0)
    Object.assign(fault, { spool: false, insert: false })
    await following.caughtUp()
    expect(await stored(store, name)).toEqual(expected(all))
    await following.stop()
    expect(store.spooled()).toEqual([])
  },
  60_000,
)

test('stopped while the store is away, it ends; what it had taken is in the spool, and the next one inserts it once', async () => {
  const all = generateText(71, 300)
  const log = join(store.dir, 'stopped.log')
  const fault = { spool: false, insert: true }
  const following = await followText({ store: store.store, committer: failing(fault) }, 'stopped', [log])
  writeFileSync(log, all.text.slice(0, 30_000))
  await expect.poll(() => following.notes, { timeout: 10_000 }).toHaveLength(1)
  await following.stop()
  expect(store.spooled().length).toBeGreaterThan(0)
  appendFileSync(log, all.text.slice(30_000))
  const again = await openCommitter()
  const next = await followText({ store: store.store, committer: again }, 'stopped', [log])
  await next.caughtUp()
  await next.stop()
  expect(await stored(store, 'stopped')).toEqual(expected(all))
}, 60_000)

/** What the next process has: the spool that was left, recovered. */
async function openCommitter(): Promise<Committer> {
  const { createCommitter } = await import('../../../services/collector/commit.ts')
  const committer = createCommitter(store.store)
  expect(await committer.recover()).toMatchObject({ inserted: 1, failed: [] })
  return committer
}
