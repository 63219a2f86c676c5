import { afterAll, beforeAll, expect, test } from 'vitest'
import { directoryLinks } from '../../../services/analyzer/directory/links.ts'
import { directoryLinkAnswer } from '../../../services/api/directory.ts'
import type { DirectoryLink } from '../../../services/model/directory.ts'
import { openTestStore, type TestStore } from '../../collector/support.ts'
import { random } from '../../scenarios/random.ts'
import { type Planted, world } from './world.ts'

/** Others each time with `CINCH_FUZZ_SEED=$RANDOM`. */
const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 41)
const START = Date.parse('2025-11-01T00:00:00Z')
const DAYS = 365

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('directory-links')
}, 60_000)
afterAll(() => store.close())

const shuffled = (lines: string[], seed: number) => {
  const draw = random(seed, 'order')
  return lines
    .map((line) => ({ line, at: draw() }))
    .sort((a, b) => a.at - b.at)
    .map(({ line }) => `${line}\n`)
}

test.each([SEED, SEED + 1])(
  'a year of seed %d: unlinked changes are found, others are not, and each has its grade',
  async (seed) => {
    const { lines, planted } = world(seed, START, DAYS)
    const tenant = `seed ${seed}`
    for (const [source, of] of Object.entries(lines))
      await store.request(source, shuffled(of, seed).join(''), { tenant, cluster: '' })
    const links = (await monthly()).filter(({ change }) => change.tenant === tenant)
    expect(planted.length).toBeGreaterThan(2_000)
    const byKey = new Map(links.map((link) => [link.change.key, link]))
    const said = planted.map((truth) => ({ truth, link: byKey.get(truth.key) }))
    const flagged = said.filter(({ link }) => link && !link.linked)
    const right = flagged.filter(({ truth }) => truth.unlinked).length
    const unlinked = planted.filter((truth) => truth.unlinked).length
    const graded = said.filter(({ truth, link }) => link?.grade === truth.grade).length
    const wrong = said.filter(({ truth, link }) => link?.grade !== truth.grade || link.linked === truth.unlinked)
    const figures = { precision: right / flagged.length, recall: right / unlinked, graded: graded / planted.length }
    expect(figures.precision, JSON.stringify(sample(wrong))).toBeGreaterThanOrEqual(0.95)
    expect(figures.recall, JSON.stringify(sample(wrong))).toBeGreaterThanOrEqual(0.95)
    expect(figures.graded, JSON.stringify(sample(wrong))).toBeGreaterThanOrEqual(0.99)
  },
  120_000,
)

/** The year as a service looks at it: month by month, so that what led to a change may be in the month before. */
async function monthly(): Promise<DirectoryLink[]> {
  const links: DirectoryLink[] = []
  for (let since = START; since < START + DAYS * 86_400_000; since += 30 * 86_400_000)
    links.push(
      ...(await directoryLinks(store.store, {
        since: new Date(since).toISOString(),
        until: new Date(since + 30 * 86_400_000).toISOString(),
      })),
    )
  return links
}

const sample = (wrong: { truth: Planted; link: DirectoryLink | undefined }[]) =>
  wrong.slice(0, 5).map(({ truth, link }) => ({ ...truth, said: link?.grade, by: link?.by, job: link?.job }))

test('the answer says how many changes have which grade, and shows those that nothing led to first', async () => {
  const asked = { since: '2026-01-01T00:00:00Z', until: '2026-02-01T00:00:00Z' }
  const links = await directoryLinks(store.store, asked)
  const answer = await directoryLinkAnswer(store.store, asked, 5)
  expect(answer.changes).toBe(links.length)
  expect(answer.by_grade.map(({ changes }) => changes).reduce((sum, count) => sum + count, 0)).toBe(links.length)
  expect(answer.unlinked).toBe(links.filter(({ linked }) => !linked).length)
  expect(answer.links.map(({ linked }) => linked)).toEqual([false, false, false, false, false])
  expect(answer.left_out).toBe(links.length - 5)
  // The same again, whatever came twice.
  const { lines } = world(SEED, START, 100)
  await store.request('keycloak', lines.keycloak.slice(0, 500).join('\n'), {
    tenant: `seed ${SEED}`,
    sender: 'another',
  })
  expect((await directoryLinkAnswer(store.store, asked, 5)).by_grade).toEqual(answer.by_grade)
})
