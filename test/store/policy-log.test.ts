import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createPolicyLog } from '../../services/api/lifecycle/log.ts'
import type { DraftContent } from '../../services/model/lifecycle.ts'
import { migrate } from '../../services/store/migrate.ts'
import { readDraft, saveDrafts } from '../../services/store/queries/policy-log.ts'
import { openStore, run, type Store } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

const room = scratch('policy-log')
let store: Store
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  await migrate(store)
})
afterAll(async () => {
  await store.close()
  room.close()
})

const headFile = () => join(store.dataDir, 'policy-log-head')
const by = { who: 'kim', why: 'a test' }
const windows = (text: string) => [{ about: 'windows' as const, windows: [text] }]
const SYNC = 'SETTINGS mutations_sync = 2'

describe('the log in the store', () => {
  beforeEach(async () => {
    await run(store.jobs, 'DROP TABLE policy_log SYNC')
    await run(store.jobs, "DELETE FROM migration WHERE name = 'policy_log'")
    await migrate(store)
    rmSync(headFile(), { force: true })
    const log = createPolicyLog(store)
    for (const text of ['a', 'b', 'c', 'd', 'e'])
      await log.append({ ...by, why: `“${text}”\u0007 \ud800` }, () => windows(text))
  })

  test('is as it was written, and continued by another process', async () => {
    const log = createPolicyLog(store)
    expect(await log.verify()).toMatchObject({ entries: 5, head: { seq: 5 }, faults: [] })
    expect((await log.life()).windows).toEqual(['e'])
    await log.append(by, () => windows('f'))
    expect(await log.verify()).toMatchObject({ entries: 6, faults: [] })
  })

  test.each([
    [
      'a change of who',
      `ALTER TABLE policy_log UPDATE who = 'eve' WHERE seq = 3 ${SYNC}`,
      { seq: 3, what: 'was changed' },
    ],
    [
      'a change of what was done',
      `ALTER TABLE policy_log UPDATE said = replaceOne(said, 'c', 'x') WHERE seq = 3 ${SYNC}`,
      { seq: 3, what: 'was changed' },
    ],
    [
      'what is no JSON any more',
      `ALTER TABLE policy_log UPDATE said = '{' WHERE seq = 3 ${SYNC}`,
      { seq: 3, what: 'was changed' },
    ],
    ['one that is gone', `ALTER TABLE policy_log DELETE WHERE seq = 3 ${SYNC}`, { seq: 3, what: 'is missing' }],
    [
      'the last one gone',
      `ALTER TABLE policy_log DELETE WHERE seq = 5 ${SYNC}`,
      { seq: 5, what: 'was the last that is known, and is missing' },
    ],
    ['all of them gone', 'TRUNCATE TABLE policy_log', { seq: 5, what: 'was the last that is known, and is missing' }],
    [
      'one that is there twice',
      'INSERT INTO policy_log SELECT * FROM policy_log WHERE seq = 3',
      { seq: 3, what: 'is there twice' },
    ],
  ])('%s is found, and nothing is added to it', async (_, tamper, fault) => {
    await run(store.jobs, tamper)
    const log = createPolicyLog(store)
    expect((await log.verify()).faults).toContainEqual(fault)
    await expect(log.append(by, () => windows('f'))).rejects.toMatchObject({ code: 'log_broken' })
  })

  test('a forged log that was chained anew is found by a head that was kept', async () => {
    const log = createPolicyLog(store)
    const { head } = await log.verify()
    await run(store.jobs, 'TRUNCATE TABLE policy_log')
    rmSync(headFile(), { force: true })
    await run(store.jobs, 'DROP TABLE policy_log SYNC')
    await run(store.jobs, "DELETE FROM migration WHERE name = 'policy_log'")
    await migrate(store)
    for (const text of ['a', 'b', 'x', 'd', 'e']) await log.append(by, () => windows(text))
    expect((await log.verify()).faults).toEqual([])
    expect((await log.verify([head])).faults).toEqual([{ seq: 5, what: 'is not the one that is known' }])
  })

  test('writers that know nothing of each other leave one chain, and nobody is lost', async () => {
    const logs = Array.from({ length: 4 }, () => createPolicyLog(store))
    await Promise.all(
      logs.flatMap((log, at) => ['1', '2', '3'].map((text) => log.append(by, () => windows(`${at} ${text}`)))),
    )
    const log = createPolicyLog(store)
    // Whoever came last kept its head; all of them are in.
    expect(await log.verify()).toMatchObject({ entries: 17, faults: [] })
    const said = (await log.entries())
      .slice(5)
      .flatMap((entry) => (entry.said.about === 'windows' ? entry.said.windows : []))
    expect(said.sort()).toEqual([0, 1, 2, 3].flatMap((at) => ['1', '2', '3'].map((text) => `${at} ${text}`)))
  })

  test('more entries than one statement holds are one chain', async () => {
    const log = createPolicyLog(store)
    await log.append(by, () => Array.from({ length: 120 }, (_, at) => windows(`w${at}`)).flat())
    expect(await log.verify()).toMatchObject({ entries: 125, faults: [] })
  })

  test('what is no head is not taken for one', async () => {
    writeFileSync(headFile(), 'nonsense')
    expect((await createPolicyLog(store).verify()).faults).toEqual([])
  })

  test.each(['', ' ', 'x'.repeat(1025)])('a reason of %j is none', async (why) => {
    await expect(createPolicyLog(store).append({ ...by, why }, () => windows('f'))).rejects.toMatchObject({
      code: 'bad_option',
    })
  })
})

describe('what drafts say', () => {
  const draft = (text: string): DraftContent => ({
    ...{ target: 'istio', callee: "shop/a'", digest: 'd' },
    window: { since: text, until: '' },
    permissions: [],
  })

  test('is kept whole, however long and whatever is in it, the last version', async () => {
    const texts = ['short', `${'x"\\\n\u2028€\ud83d\ude00'.repeat(20_000)}`, 'last']
    for (const text of texts) {
      await saveDrafts(store.jobs, [draft(text)])
      expect((await readDraft(store.reads, draft('')))?.window.since).toBe(text)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })

  test('is not there when somebody changed it', async () => {
    await run(
      store.jobs,
      `ALTER TABLE policy_draft UPDATE content = replaceOne(content, 'last', 'lost') WHERE digest = 'd' ${SYNC}`,
    )
    expect((await readDraft(store.reads, draft('')))?.window.since).not.toBe('lost')
  })
})
