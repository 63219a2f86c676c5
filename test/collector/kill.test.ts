import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { openStore, query, run } from '../../services/store/store.ts'
import { runKilled } from '../support/killed.ts'
import { type Generated, generateText, seeded } from './lines.ts'
import { filesBelow, openTestStore } from './support.ts'

const SEED = Number(process.env['CINCH_KILL_SEED'] ?? 11)
const KILLS_MIN = Number(process.env['CINCH_KILLS'] ?? 20)
const LINES = 150_000
/** One chunk of several blocks, and many chunks on both lanes. */
const CHUNK_BYTES = [4 << 20, 64 << 20, 12 << 20]
const CHILD = fileURLToPath(new URL('kill-child.ts', import.meta.url))

const dir = mkdtempSync(join(tmpdir(), 'cinch-kill-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Run {
  killed: boolean
  recovered: number
}

/** Runs the child, and kills it `delayMs` after it opened the store; without a delay it may end. */
async function runChild(args: string[], delayMs: number | undefined): Promise<Run> {
  const { killed, output } = await runKilled(CHILD, args, delayMs)
  return { killed, recovered: Number(/recovered (\d+)/.exec(output)?.[1] ?? 0) }
}

const USAGE = ['operation_usage', 'operation_usage_day', 'edge_usage_hour', 'edge_usage_day']

async function stored(cluster: string): Promise<Omit<Generated, 'text' | 'lines'>[]> {
  const store = await openStore({ kind: 'chdb', dir: join(dir, 'store') })
  try {
    const ofCluster = 'cluster = {cluster:String}'
    const of = (accepted: string, rejected: string, denied: string, table: string, where = ofCluster) =>
      query<Generated>(
        store.reads,
        `SELECT ${accepted} AS accepted, ${rejected} AS rejected, ${denied} AS denied FROM ${table} AS t WHERE ${where}`,
        { cluster },
      )
    const rejects = '(SELECT count() FROM rejected_line WHERE cluster = {cluster:String})'
    const denied = "(SELECT countIf(decision = 'denied') FROM request WHERE cluster = {cluster:String})"
    const all = await Promise.all([
      of('count()', rejects, "countIf(decision = 'denied')", 'request'),
      ...USAGE.map((table) =>
        of(
          'sum(t.requests) + sum(t.denied)',
          rejects,
          'sum(t.denied)',
          table,
          `edge IN (SELECT edge FROM edge WHERE ${ofCluster})`,
        ),
      ),
      of('sum(t.accepted)', 'sum(t.rejected)', denied, 'ingest_batch'),
      of('uniqExact(path, user_agent)', rejects, "uniqExactIf((path, user_agent), decision = 'denied')", 'request'),
    ])
    return all.flat()
  } finally {
    await store.close()
  }
}

test(`killed with SIGKILL at any moment and run again, an ingest loses nothing and counts nothing twice (${KILLS_MIN} kills)`, async () => {
  const random = seeded(SEED)
  let kills = 0
  let replayed = 0
  for (let round = 0; kills < KILLS_MIN; round++) {
    const generated = generateText(SEED + round, LINES)
    const file = join(dir, `round-${round}.log`)
    writeFileSync(file, generated.text)
    const args = [join(dir, 'store'), file, `round ${round}`, String(CHUNK_BYTES[round % CHUNK_BYTES.length])]
    // After some kills in one round it may end, for the next one to begin in a store that holds more.
    for (let attempt = 0; ; attempt++) {
      const run = await runChild(args, attempt < 9 ? Math.floor(random() ** 1.5 * 2500) : undefined)
      replayed += run.recovered
      if (!run.killed) break
      kills++
    }
    const { text: _, lines: __, ...counts } = generated
    expect(await stored(`round ${round}`), `round ${round}, after ${kills} kills`).toEqual(
      Array.from({ length: 3 + USAGE.length }, () => counts),
    )
    expect(filesBelow(join(dir, 'store', 'spool'))).toEqual([])
    rmSync(file)
  }
  // Kills that only hit the time before the first chunk would prove nothing.
  expect(replayed).toBeGreaterThan(3)
}, 600_000)

test('a chunk that was counted, and whose rollups a kill took, is put right when it comes again', async () => {
  const store = await openTestStore('counted')
  try {
    // Plain lines and prefixed ones go in by two statements.
    const generated = generateText(SEED, 500)
    await store.request('istio-text', generated.text, { cluster: 'c' })
    const sums = () =>
      store.rows(
        'SELECT sum(requests) + sum(denied) AS calls FROM operation_usage UNION ALL SELECT sum(requests) + sum(denied) FROM edge_usage_hour UNION ALL SELECT count() FROM request',
      )
    const all = Array.from({ length: 3 }, () => ({ calls: generated.accepted }))
    expect(await sums()).toEqual(all)
    // Truncating forgets what was deduplicated too: the state before these parts were written.
    for (const table of ['operation_usage', 'edge_usage_hour']) await run(store.store.jobs, `TRUNCATE TABLE ${table}`)
    expect((await sums()).filter(({ calls }) => calls !== 0)).toHaveLength(1)
    const again = await store.request('istio-text', generated.text, { cluster: 'c' })
    expect(again).toMatchObject({ accepted: generated.accepted, rejected: generated.rejected })
    expect(await sums()).toEqual(all)
  } finally {
    await store.close()
  }
}, 60_000)
