import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import kafkajs, { type Admin, type Producer } from 'kafkajs'
import type { KafkaConfig, TopicConfig } from '../../../services/collector/receivers/kafka/config.ts'
import { type KafkaReceiver, startKafkaReceiver } from '../../../services/collector/receivers/kafka/receiver.ts'
import { createSenders } from '../../../services/collector/senders.ts'
import { query, type Store } from '../../../services/store/store.ts'
import { type KafkaBroker, startKafka } from '../../lab/kafka/broker.ts'
import type { TestStore } from '../support.ts'

export { linesOf } from './topics.ts'

const { CompressionCodecs, Kafka, logLevel, Partitioners } = kafkajs
export const { CompressionTypes } = kafkajs
const snappy = createRequire(import.meta.url)('snappyjs') as Record<
  'compress' | 'uncompress',
  (bytes: Buffer) => Buffer
>

// What the tests produce with. The receiver has its own.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
  decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
})
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: async ({ buffer }: { buffer: Buffer }) => snappy.compress(buffer),
  decompress: async (buffer: Buffer) => snappy.uncompress(buffer),
})

/** A real broker with a client of kafkajs that produces to it. */
export interface TestKafka {
  dir: string
  broker: KafkaBroker
  admin: Admin
  producer: Producer
  createTopic(topic: string, partitions?: number): Promise<void>
  /** A producer whose messages count only when their transaction is committed. */
  transactional(id: string): Producer
  close(): Promise<void>
}

/** @param idempotent what is sent again because its answer was lost stands on the topic once */
export async function openTestKafka({ idempotent = false } = {}): Promise<TestKafka> {
  const dir = mkdtempSync(join(tmpdir(), 'cinch-kafka-'))
  const broker = await startKafka({ dir })
  const kafka = new Kafka({
    brokers: [broker.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 60 },
  })
  const admin = kafka.admin()
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    metadataMaxAge: 1_000,
    ...(idempotent ? { idempotent, maxInFlightRequests: 1 } : {}),
  })
  await Promise.all([admin.connect(), producer.connect()])
  return {
    dir,
    broker,
    admin,
    producer,
    createTopic: async (topic, partitions = 1) => {
      await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions }] })
    },
    transactional: (transactionalId) =>
      kafka.producer({
        transactionalId,
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: Partitioners.DefaultPartitioner,
      }),
    close: async () => {
      await Promise.all([admin.disconnect(), producer.disconnect()])
      await broker.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export interface Received {
  receiver: KafkaReceiver
  notes: string[]
}

/** Registers the sender `kafka` for everything that the tests send, and starts a receiver. */
export async function receive(
  store: TestStore,
  broker: KafkaBroker,
  topics: TopicConfig[],
  config: Partial<KafkaConfig> = {},
  more: { chunkBytes?: number } = {},
): Promise<Received> {
  const senders = createSenders(store.store)
  await senders.register({
    id: 'kafka',
    sources: ['istio-text', 'istio-json', 'otlp-traces'],
    cluster: '',
    workloads: [],
    evidence: 'verified',
    spiffe: '',
  })
  const notes: string[] = []
  const receiver = await startKafkaReceiver({
    store: store.store,
    committer: store.committer,
    senders,
    config: { brokers: [broker.bootstrap], group: 'cinch', sessionTimeoutMs: 6_000, topics, ...config },
    note: (text) => notes.push(text),
    ...more,
  })
  return { receiver, notes }
}

/** Sends messages in one call per `size`; what they are worth is the caller's to know. */
export async function send(
  { producer }: TestKafka,
  topic: string,
  values: (string | Buffer | null)[],
  { partition, compression, size = 2_000 }: { partition?: number; compression?: number; size?: number } = {},
): Promise<void> {
  for (let at = 0; at < values.length; at += size) {
    const messages = values.slice(at, at + size).map((value) => ({
      value,
      ...(partition === undefined ? {} : { partition }),
    }))
    await producer.send({ topic, messages, ...(compression === undefined ? {} : { compression }) })
  }
}

/** Sends lines with Kafka's own producer, in record batches as large as they get. */
export function sendByJava({ broker }: TestKafka, topic: string, lines: string, codec = 'none'): void {
  const to = ['--bootstrap-server', broker.bootstrap, '--topic', topic, '--compression-codec', codec]
  const large = ['--batch-size', '8000000', '--timeout', '2000', '--max-memory-bytes', '64000000']
  const larger = ['--producer-property', 'max.request.size=8000000']
  broker.tool('org.apache.kafka.tools.ConsoleProducer', [...to, ...large, ...larger], lines)
}

/** The record batches of a partition, as the broker keeps them on its disk. */
export function logOf({ dir }: TestKafka, topic: string): Buffer {
  return readFileSync(join(dir, 'data', `${topic}-0`, '00000000000000000000.log'))
}

/** Looks until the answer is as expected, or the deadline has passed; the last answer. */
export async function until<T>(
  look: () => Promise<T> | T,
  isThere: (answer: T) => boolean,
  deadlineMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const answer = await look()
    if (isThere(answer) || performance.now() > deadline) return answer
    await sleep(50)
  }
}

/** Requests of a cluster, each table asked by itself: facts, both rollups, rejects, and what the batches say. */
export async function countedIn(store: Store, cluster: string): Promise<Counted> {
  const [row] = await query<Counted>(
    store.reads,
    `SELECT
       (SELECT count() FROM request WHERE cluster = {cluster:String}) AS facts,
       (SELECT sum(requests) + sum(denied) FROM operation_usage WHERE edge IN (SELECT edge FROM edge WHERE cluster = {cluster:String})) AS operations,
       (SELECT sum(requests) + sum(denied) FROM edge_usage_hour WHERE edge IN (SELECT edge FROM edge WHERE cluster = {cluster:String})) AS edges,
       (SELECT sum(accepted) FROM ingest_batch WHERE cluster = {cluster:String}) AS accepted,
       (SELECT sum(rejected) FROM ingest_batch WHERE cluster = {cluster:String}) AS rejected,
       (SELECT count() FROM rejected_line WHERE cluster = {cluster:String}) AS rejects`,
    { cluster },
  )
  if (!row) throw new Error('no row')
  const { facts, operations, edges, accepted, rejected, rejects } = row
  return { facts, operations, edges, accepted, rejected, rejects }
}

export const counted = ({ store }: TestStore, cluster: string) => countedIn(store, cluster)

export interface Counted {
  facts: number
  operations: number
  edges: number
  accepted: number
  rejected: number
  rejects: number
}

/** What `counted` must say of so many accepted and rejected lines. */
export const exactly = (accepted: number, rejected: number): Counted => ({
  facts: accepted,
  operations: accepted,
  edges: accepted,
  accepted,
  rejected,
  rejects: rejected,
})
