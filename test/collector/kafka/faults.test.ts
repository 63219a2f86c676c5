import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { KafkaReceiver } from '../../../services/collector/receivers/kafka/receiver.ts'
import { createKafkaClient } from '../../../services/collector/receivers/kafka.ts'
import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { generateText } from '../lines.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { counted, exactly, linesOf, openTestKafka, receive, send, type TestKafka, until } from './support.ts'

let kafka: TestKafka
let store: TestStore
let receivers: KafkaReceiver[] = []

async function start(topic: string, more: { chunkBytes?: number } = {}) {
  const received = await receive(store, kafka.broker, [linesOf(topic, topic)], {}, more)
  receivers.push(received.receiver)
  return received
}

const stored = (topic: string, lines: number) =>
  until(
    () => counted(store, topic),
    ({ operations, edges, rejects }) => Math.min(operations, edges) + rejects >= lines,
    60_000,
  )

/** A stop that the test does itself, so that it is not done again after it. */
async function stopAll(): Promise<void> {
  const open = receivers
  receivers = []
  await Promise.all(open.map((receiver) => receiver.stop()))
}

describe.runIf(kafkaClassPath() !== undefined)('faults beside the collector', () => {
  beforeAll(async () => {
    kafka = await openTestKafka()
    store = await openTestStore('kafka-faults')
  }, 120_000)
  afterEach(stopAll, 60_000)
  afterAll(async () => {
    await store?.close()
    await kafka?.close()
  }, 60_000)

  test('a consumer that has ended can be paused: a session that ends with it goes on ending', async () => {
    await kafka.createTopic('ended')
    const client = createKafkaClient({ brokers: [kafka.broker.bootstrap], group: 'ended', topics: [] })
    const handlers = { assigned: () => {}, fetched: async () => {}, crashed: () => {} }
    const consumer = await client.consume(['ended'], handlers)
    await consumer.stop()
    expect(() => consumer.pause()).not.toThrow()
    await client.disconnect()
  }, 60_000)

  test('Kafka is killed and comes back: everything goes on, nothing is lost', async () => {
    await kafka.createTopic('broker', 2)
    const { text, accepted, rejected } = generateText(1, 60_000)
    const lines = text.split('\n').slice(0, -1)
    await send(kafka, 'broker', lines.slice(0, 40_000))
    await start('broker', { chunkBytes: 1 << 20 })
    await until(
      async () => (await counted(store, 'broker')).facts,
      (facts) => facts > 0,
    )
    await kafka.broker.kill()
    await kafka.broker.restart()
    await send(kafka, 'broker', lines.slice(40_000, 50_000))
    await stored('broker', 50_000)
    // And once more while nothing is on its way.
    await kafka.broker.kill()
    await kafka.broker.restart()
    await send(kafka, 'broker', lines.slice(50_000))
    await stored('broker', 60_000)
    await stopAll()
    expect(await counted(store, 'broker')).toEqual(exactly(accepted, rejected))
  }, 240_000)

  test('six receivers come and go: each message counts once, and Kafka is told of all of them', async () => {
    await kafka.createTopic('rebalance', 6)
    const { text, accepted, rejected } = generateText(2, 90_000)
    const lines = text.split('\n').slice(0, -1)
    const sending = send(kafka, 'rebalance', lines, { size: 500 })
    const alive: KafkaReceiver[] = []
    for (const [turn, chunkBytes] of [1 << 20, 256 << 10, 32 << 20, 1 << 20, 32 << 20, 256 << 10].entries()) {
      alive.push((await start('rebalance', { chunkBytes })).receiver)
      await stored('rebalance', 5_000 + turn * 14_000)
      // Two or three at a time; the oldest leaves, and once all at the same moment.
      const leaving = turn === 3 ? alive.splice(0) : alive.splice(0, alive.length - 2)
      await Promise.all(leaving.map((receiver) => receiver.stop()))
    }
    await sending
    await stored('rebalance', 90_000)
    await Promise.all(alive.map((receiver) => receiver.stop()))
    expect(await counted(store, 'rebalance')).toEqual(exactly(accepted, rejected))
    // Nobody set it back, and nobody left before it was told.
    const [told] = await kafka.admin.fetchOffsets({ groupId: 'cinch', topics: ['rebalance'] })
    const ends = await kafka.admin.fetchTopicOffsets('rebalance')
    const sorted = (list: { partition: number; offset: string }[]) =>
      list.map(({ partition, offset }) => `${partition}: ${offset}`).sort()
    expect(sorted(told?.partitions ?? [])).toEqual(sorted(ends))
  }, 180_000)

  test('a partition that is added is read from its beginning', async () => {
    await kafka.createTopic('wider')
    const { text, accepted, rejected } = generateText(4, 900)
    const lines = text.split('\n').slice(0, -1)
    await send(kafka, 'wider', lines.slice(0, 300))
    const { notes } = await start('wider')
    await stored('wider', 300)
    await kafka.admin.createPartitions({ topicPartitions: [{ topic: 'wider', count: 3 }] })
    // A producer drops what is for a partition whose leader it does not know yet: it is sent again until the partition has it.
    const inNew = async () => {
      const ends = await kafka.admin.fetchTopicOffsets('wider').catch(() => [])
      return Number(ends.find(({ partition }) => partition === 2)?.offset ?? -1)
    }
    await until(inNew, (end) => end === 0, 30_000)
    for (let tries = 0; tries < 30 && (await inNew()) === 0; tries++) {
      await send(kafka, 'wider', lines.slice(300, 600), { partition: 2 })
      await until(inNew, (end) => end > 0, 1_000)
    }
    expect(await inNew()).toBe(300)
    await stored('wider', 600)
    await send(kafka, 'wider', lines.slice(600), { partition: 0 })
    await stored('wider', 900)
    await stopAll()
    expect(await counted(store, 'wider')).toEqual(exactly(accepted, rejected))
    expect(notes).toEqual([])
  }, 120_000)

  test('a store that takes nothing for a while: what waits is bounded, and goes on by itself', async () => {
    await kafka.createTopic('away')
    const { text, accepted, rejected } = generateText(3, 5_000)
    const { committer } = store
    let refused = 0
    const spool = committer.spool
    committer.spool = async (...args) => {
      const insert = await spool(...args)
      return async () => {
        if (refused++ < 4) throw new Error('the store is away')
        return await insert()
      }
    }
    try {
      const { notes } = await start('away')
      await send(kafka, 'away', text.split('\n').slice(0, -1))
      await stored('away', 5_000)
      await stopAll()
      expect(await counted(store, 'away')).toEqual(exactly(accepted, rejected))
      expect(refused).toBeGreaterThan(4)
      expect(notes[0]).toBe('messages of topic away wait for the store: the store is away')
      expect(notes.at(-1)).toBe('messages of topic away go on')
    } finally {
      committer.spool = spool
    }
  }, 120_000)
})
