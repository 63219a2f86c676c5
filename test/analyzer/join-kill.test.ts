import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { joinCallers } from '../../services/analyzer/identity/join.ts'
import { HURRIED } from '../../services/analyzer/pace.ts'
import { openCinch } from '../../services/api/cinch.ts'
import { createCommitter } from '../../services/collector/commit.ts'
import { ingestRequest } from '../../services/collector/ingest.ts'
import { operator } from '../../services/collector/origin.ts'
import { findSource } from '../../services/collector/sources/index.ts'
import { migrate } from '../../services/store/migrate.ts'
import { openStore, query, type Store } from '../../services/store/store.ts'
import { seeded } from '../collector/lines.ts'
import { runKilled } from '../support/killed.ts'
import { newStore } from '../support/new-store.ts'
import { traffic } from './join-traffic.ts'

const SEED = Number(process.env['CINCH_KILL_SEED'] ?? 7)
const KILLS_MIN = Number(process.env['CINCH_JOIN_KILLS'] ?? 12)
const ROOTS = 100
const HOURS = 3
const BATCHES = 2
/** Lines at once: some minutes', or so few that minutes are written one by one, and busy ones in parts. */
const HALVES_MAX = [1_000, 100]
/** Of the time that the job takes undisturbed: behind that it may have ended. */
const KILLED_BEFORE = 0.8
const CHILD = fileURLToPath(new URL('join-kill-child.ts', import.meta.url))

const dir = mkdtempSync(join(tmpdir(), 'cinch-join-kill-'))
for (const name of ['undisturbed', 'killed']) newStore(join(dir, name))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Calls of several hours; every batch has lines of all minutes, so that each changes what the one before it came to. */
function batchesOf(random: () => number): string[] {
  const batches: string[][] = Array.from({ length: BATCHES }, () => [])
  for (let hour = 0; hour < HOURS; hour++)
    for (const { text } of traffic(random, ROOTS))
      batches[Math.floor(random() * BATCHES)]?.push(text.replaceAll('2026-11-05T10:', `2026-11-05T${10 + hour}:`))
  return batches.map((lines) => lines.join('\n'))
}

/** The engine has one store in a process: what needs it opens it, and closes it before a child does. */
async function within<T>(name: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore({ kind: 'chdb', dir: join(dir, name) })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

async function load(store: Store, body: string): Promise<void> {
  await migrate(store)
  const committer = createCommitter(store)
  const result = await ingestRequest(store, committer, findSource('istio-json'), operator(), Buffer.from(body))
  expect(result.rejected).toBe(0)
}

/** Runs the job, and kills it `delayMs` after it began; without a delay it may end. */
async function runJob(halvesMax: number | undefined, delayMs?: number): Promise<{ killed: boolean; left: number }> {
  const { killed, output } = await runKilled(CHILD, [join(dir, 'killed'), String(halvesMax)], delayMs)
  return { killed, left: Number(/left (\d+)/.exec(output)?.[1] ?? 0) }
}

/** What the job came to: calls by the minute and by the hour, without when they were written and in which part, and the graph. */
async function found(store: Store) {
  const calls = (table: string) =>
    query<{ lines: number }>(
      store.reads,
      `SELECT * EXCEPT (part, version, requests, denied, lines, lines_denied, not_found, lines_not_found, first_seen, last_seen, mark),
         sum(j.requests) AS requests, sum(j.denied) AS denied, sum(j.lines) AS lines, sum(j.lines_denied) AS lines_denied, sum(j.not_found) AS not_found,
         sum(j.lines_not_found) AS lines_not_found, min(j.first_seen) AS first_seen, max(j.last_seen) AS last_seen, min(j.mark) AS mark
       FROM ${table} AS j FINAL WHERE j.requests + j.denied > 0 GROUP BY ALL ORDER BY ALL`,
    )
  const [minutes, hours] = [await calls('joined_call'), await calls('joined_call_hour')]
  const cinch = await openCinch(store)
  return { minutes, hours, graph: await cinch.graph({}) }
}

async function touchAll(store: Store): Promise<void> {
  const query =
    'INSERT INTO call_half_minute (minute, touched, loaded) SELECT DISTINCT minute, 1, today() FROM call_half_minute'
  await store.jobs.command({ query })
}

test(`killed with SIGKILL at any moment and run again, the job comes to the same calls and the same graph (${KILLS_MIN} kills)`, async () => {
  const batches = batchesOf(seeded(SEED))
  let tookMs = 0
  const undisturbed = await within('undisturbed', async (store) => {
    for (const body of batches) {
      await load(store, body)
      const began = Date.now()
      await joinCallers(store, Date.now(), HURRIED, HALVES_MAX[0])
      tookMs = Date.now() - began
    }
    return await found(store)
  })
  const random = seeded(SEED + 1)
  let [kills, torn, left] = [0, 0, 0]
  const run = async (halvesMax: number | undefined, delayMs?: number) => {
    const job = await runJob(halvesMax, delayMs)
    if (job.left > left) torn++
    left = job.left
    return job.killed
  }
  for (const [index, body] of batches.entries()) {
    await within('killed', (store) => load(store, body))
    for (const due = Math.ceil((KILLS_MIN * (index + 1)) / BATCHES); kills < due; ) {
      const killed = await run(HALVES_MAX[kills % HALVES_MAX.length], Math.floor(random() * tookMs * KILLED_BEFORE))
      if (killed) kills++
      else {
        // It had ended and has nothing left to be killed in: all is to be done once more, and it is killed sooner.
        tookMs *= KILLED_BEFORE
        await within('killed', touchAll)
      }
    }
  }
  await run(HALVES_MAX[0])
  const killed = await within('killed', found)
  expect(undisturbed.minutes.length).toBeGreaterThan(300)
  expect(killed.minutes).toEqual(undisturbed.minutes)
  expect(killed.hours).toEqual(undisturbed.hours)
  expect(killed.graph).toEqual(undisturbed.graph)
  expect(kills).toBe(KILLS_MIN)
  // Kills that only hit the time before the first write would prove nothing.
  expect(torn).toBeGreaterThan(0)
}, 600_000)
