import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, query } from '../../../services/store/store.ts'
import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { runKilled } from '../../support/killed.ts'
import { generateText, seeded } from '../lines.ts'
import { filesBelow } from '../support.ts'
import { countedIn, exactly, openTestKafka, send, type TestKafka } from './support.ts'

const SEED = Number(process.env['CINCH_KILL_SEED'] ?? 5)
const KILLS_MIN = Number(process.env['CINCH_KAFKA_KILLS'] ?? 10)
const KILLS_PER_TOPIC = 5
const LINES = 120_000
/** Many chunks of several partitions, and few. */
const CHUNK_BYTES = [1 << 20, 32 << 20, 4 << 20]
const CHILD = fileURLToPath(new URL('kill-child.ts', import.meta.url))

const dir = mkdtempSync(join(tmpdir(), 'cinch-kafka-kill-'))
let kafka: TestKafka

/** Runs the child, and kills it `delayMs` after it began to receive; without a delay it is to end by itself. */
async function runChild(args: string[], delayMs: number | undefined): Promise<{ killed: boolean; recovered: number }> {
  const { killed, output } = await runKilled(CHILD, args, delayMs)
  return { killed, recovered: Number(/recovered (\d+)/.exec(output)?.[1] ?? 0) }
}

async function stored(topic: string) {
  const store = await openStore({ kind: 'chdb', dir: join(dir, 'store') })
  try {
    const [lines] = await query<{ different: number; positions: number }>(
      store.reads,
      `SELECT (SELECT uniqExact(path, user_agent) FROM request WHERE cluster = {topic:String}) AS different,
         (SELECT count() FROM file_progress WHERE cluster = {topic:String}) AS positions`,
      { topic },
    )
    return { counts: await countedIn(store, topic), ...lines }
  } finally {
    await store.close()
  }
}

describe.runIf(kafkaClassPath() !== undefined)('a collector that is killed', () => {
  beforeAll(async () => {
    kafka = await openTestKafka()
  }, 120_000)
  afterAll(async () => {
    await kafka?.close()
    rmSync(dir, { recursive: true, force: true })
  }, 60_000)

  test(`with SIGKILL at any moment and run again counts every message once (${KILLS_MIN} kills)`, async () => {
    const random = seeded(SEED)
    let kills = 0
    let interrupted = 0
    for (let round = 0; kills < KILLS_MIN; round++) {
      const topic = `round-${round}`
      await kafka.createTopic(topic, 3)
      const generated = generateText(SEED + round, LINES)
      const lines = generated.text.split('\n').slice(0, -1)
      // Fifty lines a message; the partitions take turns.
      const messages = Array.from({ length: LINES / 50 }, (_, n) => lines.slice(n * 50, n * 50 + 50).join('\n'))
      for (let partition = 0; partition < 3; partition++)
        await send(
          kafka,
          topic,
          messages.filter((_, n) => n % 3 === partition),
          { partition, size: 100 },
        )
      const chunkBytes = String(CHUNK_BYTES[round % CHUNK_BYTES.length])
      const args = [join(dir, 'store'), kafka.broker.bootstrap, topic, chunkBytes, String(LINES)]
      for (let attempt = 0; ; attempt++) {
        // The group waits for the killed member, up to its session's end, before it gives out partitions again.
        const delayMs = attempt === 0 ? random() * 1_500 : 1_500 + random() * 3_000
        const run = await runChild(args, attempt < KILLS_PER_TOPIC ? delayMs : undefined)
        if (run.recovered > 0) interrupted++
        if (!run.killed) break
        kills++
      }
      const { counts, different, positions } = await stored(topic)
      expect(counts, `${topic}, after ${kills} kills`).toEqual(exactly(generated.accepted, generated.rejected))
      expect(Number(different)).toBe(generated.accepted)
      expect(Number(positions)).toBeGreaterThan(0)
      expect(filesBelow(join(dir, 'store', 'spool'))).toEqual([])
    }
    // Kills that only hit the time before or after the chunks would prove nothing.
    expect(interrupted).toBeGreaterThan(1)
  }, 600_000)
})
