import { createRequire } from 'node:module'
import type * as Kafkajs from 'kafkajs'
import { CinchError } from '../../model/errors.ts'
import type { KafkaConfig } from './kafka/config.ts'
import { type Connection, guardFrames } from './kafka/frames.ts'
import { firstKey, type RecordBatch, readRecordBatches } from './kafka/record-batch.ts'
import { askTopicIds, type Broker } from './kafka/topic-id.ts'

/*
 * The only file that knows kafkajs. Three things of it are replaced, which its exact version in package.json makes safe:
 * - It inflates and decodes each message of a fetch before it hands over any. A batch that it cannot read ends the consumer,
 *   and one of 150,000 small messages overflows the stack. Here a fetch is cut into record batches, and no further.
 * - It does not ask for the ids of topics, without which a topic that was made anew looks like the old one.
 * - Bytes that are no answer of a broker end the process, or fill its memory. Here they end the connection.
 */

const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 30_000
/** A member that was killed is missed after this time, and its partitions are given to others. */
const SESSION_TIMEOUT_MS = 10_000
const HEARTBEATS_PER_SESSION = 4
const REBALANCE_TIMEOUT_MS = 60_000
const FETCH_WAIT_MS = 250
/** One fetch, over all its partitions. A single larger record batch comes whole: the broker's bound is the bound then. */
export const FETCH_BYTES_MAX = 16 << 20
const PARTITION_BYTES_MAX = 8 << 20
/** New partitions of a topic are found after this time. */
const METADATA_AGE_MS = 10_000
const PARTITIONS_AT_ONCE = 16
const RETRY = { retries: 4, initialRetryTime: 200, maxRetryTime: 2_000 }

/** A topic as the cluster has it. */
export interface Topic {
  topic: string
  /** Its id: another one when it was deleted and made anew. '' where the broker is older than 3.1 and tells none. */
  id: string
  /** By partition: the first offset that is kept, and the one behind the last. */
  partitions: Map<number, { low: number; high: number }>
}

/** What was fetched of one partition. */
export interface Fetched {
  topic: string
  partition: number
  batches: RecordBatch[]
  /** The end of the partition, as the broker saw it. */
  highWatermark: number
  /** @throws when the group is rebalancing: give up the work, it comes again */
  heartbeat(): Promise<void>
  /** Goes on behind this offset with the next fetch. */
  resolve(offset: number): void
  /** True when the consumer was told to go on elsewhere meanwhile. */
  isStale(): boolean
}

export interface Offset {
  topic: string
  partition: number
  /** Of the next message. */
  next: number
}

export interface Assigned {
  topic: string
  partitions: number[]
}

export interface ConsumerHandlers {
  /** A new generation of the group, with these partitions for this consumer; asked before any message comes. */
  assigned(consumer: Consumer, partitions: Assigned[]): void
  fetched(fetched: Fetched): Promise<void>
  crashed(error: Error): void
}

export interface Consumer {
  seek(offset: Offset): void
  commit(offsets: Offset[]): Promise<void>
  /** Fetches nothing more, and stays a member. */
  pause(): void
  stop(): Promise<void>
}

export interface KafkaClient {
  /** @throws CinchError `kafka_refused`, `kafka_unreachable` */
  connect(): Promise<{ clusterId: string }>
  /** Those of the topics that exist. */
  topics(names: string[]): Promise<Topic[]>
  /** The ids of those that exist, in one request; '' where the broker tells none. */
  ids(names: string[]): Promise<Map<string, string>>
  consume(topics: string[], handlers: ConsumerHandlers): Promise<Consumer>
  disconnect(): Promise<void>
}

/** What kafkajs calls its way to make a cluster. */
const CREATE_CLUSTER = 'private:Kafka:createCluster'
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  brokerPool: { findConnectedBroker(): Promise<Broker> }
}

/** A client for one connection. Nothing is sent before `connect`. */
export function createKafkaClient(config: KafkaConfig): KafkaClient {
  const kafka = open(config)
  const admin = kafka.admin()
  const cluster = clusterOf(kafka)
  const ids = async (names: string[]) => {
    await cluster.connect()
    return await askTopicIds(await cluster.brokerPool.findConnectedBroker(), names)
  }
  const told = <T>(work: Promise<T>) =>
    work.catch((error: unknown) => {
      throw kafkaError(config, error)
    })
  return {
    connect: async () => {
      await told(admin.connect())
      return { clusterId: (await told(admin.describeCluster())).clusterId }
    },
    ids: (names) => told(ids(names)),
    topics: async (names) => {
      const existing = new Set(await told(admin.listTopics()))
      const found = names.filter((name) => existing.has(name))
      const known = await told(ids(found))
      return await Promise.all(
        found.map(async (topic) => {
          const offsets = await told(admin.fetchTopicOffsets(topic))
          const partitions = offsets.map(
            ({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }] as const,
          )
          return { topic, id: known.get(topic) ?? '', partitions: new Map(partitions) }
        }),
      )
    },
    consume: (topics, handlers) => told(consume(kafka, config, topics, handlers)),
    disconnect: async () => {
      await Promise.all([admin.disconnect(), cluster.disconnect()])
    },
  }
}

async function consume(
  kafka: Kafkajs.Kafka,
  config: KafkaConfig,
  topics: string[],
  handlers: ConsumerHandlers,
): Promise<Consumer> {
  const sessionMs = config.sessionTimeoutMs ?? SESSION_TIMEOUT_MS
  const consumer = kafka.consumer({
    groupId: config.group,
    sessionTimeout: sessionMs,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    heartbeatInterval: sessionMs / HEARTBEATS_PER_SESSION,
    metadataMaxAge: METADATA_AGE_MS,
    maxBytes: FETCH_BYTES_MAX,
    maxBytesPerPartition: PARTITION_BYTES_MAX,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    allowAutoTopicCreation: false,
    // Whoever runs it begins again, with what the cluster is then.
    retry: { ...RETRY, restartOnFailure: async () => false },
  })
  const handle: Consumer = {
    seek: ({ topic, partition, next }) => consumer.seek({ topic, partition, offset: String(next) }),
    commit: (offsets) =>
      consumer.commitOffsets(offsets.map(({ topic, partition, next }) => ({ topic, partition, offset: String(next) }))),
    pause: () => {
      try {
        consumer.pause(topics.map((topic) => ({ topic })))
      } catch (error) {
        // So it says where a crash has ended it, before it tells of the crash: nothing is fetched then.
        if (!/not initialized/.test(String(error))) throw error
      }
    },
    stop: () => consumer.disconnect(),
  }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
    handlers.assigned(
      handle,
      Object.entries(payload.memberAssignment).map(([topic, partitions]) => ({ topic, partitions: [...partitions] })),
    ),
  )
  consumer.on(consumer.events.CRASH, ({ payload }) => handlers.crashed(kafkaError(config, payload.error)))
  try {
    await consumer.connect()
    await consumer.subscribe({ topics, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: async (payload) => await handlers.fetched(fetchedOf(payload)),
    })
  } catch (error) {
    await consumer.disconnect()
    throw error
  }
  return handle
}

function fetchedOf({ batch, heartbeat, resolveOffset, isStale }: Kafkajs.EachBatchPayload): Fetched {
  return {
    topic: batch.topic,
    partition: batch.partition,
    batches: batch.messages.flatMap((message) => batchOf(message) ?? []),
    highWatermark: Number(batch.highWatermark),
    heartbeat,
    resolve: (offset) => resolveOffset(String(offset)),
    isStale,
  }
}

/** What stands for a record batch where kafkajs looks for messages: its last offset, and what marks transactions. */
interface BatchMessage {
  offset: string
  key: Buffer | null
  value: null
  isControlRecord: boolean
  batchContext: { producerId: string; inTransaction: boolean }
  recordBatch: RecordBatch
}

const batchOf = (message: object) => ('recordBatch' in message ? (message as BatchMessage).recordBatch : undefined)

function messageOf(recordBatch: RecordBatch): BatchMessage {
  const { lastOffset, control, producerId, transactional } = recordBatch
  return {
    offset: String(lastOffset),
    // Of a marker: whether the transaction was committed or aborted.
    key: control ? firstKey(recordBatch) : null,
    value: null,
    isControlRecord: control,
    batchContext: { producerId, inTransaction: transactional },
    recordBatch,
  }
}

/** The decoder of a fetch's answer, at the bytes of one partition. */
interface FetchDecoder {
  readInt32(): number
  readBytes(length: number): Buffer
}

async function decodeMessages(decoder: FetchDecoder): Promise<BatchMessage[]> {
  const length = decoder.readInt32()
  return length <= 0 ? [] : readRecordBatches(decoder.readBytes(length)).map(messageOf)
}

let library: typeof Kafkajs | undefined

/** Loads kafkajs when it is first needed, and puts the decoder of above in the place of its own before it is used. */
function load(): typeof Kafkajs {
  if (library) return library
  const require = createRequire(import.meta.url)
  const path = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages')
  require(path)
  const loaded = require.cache[path]
  if (!loaded) throw new Error('kafkajs is not laid out as its version says')
  loaded.exports = decodeMessages
  guardFrames((require('kafkajs/src/network/connection') as { prototype: Connection }).prototype)
  library = require('kafkajs') as typeof Kafkajs
  return library
}

function open({ brokers, tls, sasl }: KafkaConfig): Kafkajs.Kafka {
  const { Kafka, logLevel } = load()
  const { authority, certificate, key } = tls ?? {}
  return new Kafka({
    clientId: 'cinch',
    brokers,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    // Its own log would tell people what is told to them as an error or a note.
    logLevel: logLevel.NOTHING,
    ...(tls
      ? {
          ssl: {
            ...(authority ? { ca: authority } : {}),
            ...(certificate ? { cert: certificate } : {}),
            ...(key ? { key } : {}),
          },
        }
      : {}),
    ...(sasl ? { sasl: sasl as Kafkajs.SASLOptions } : {}),
  })
}

/** A cluster of kafkajs' own, which its public interface does not give. */
function clusterOf(kafka: Kafkajs.Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === CREATE_CLUSTER)
  const create = symbol && (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
  if (!create) throw new Error('kafkajs is not laid out as its version says')
  return create({ allowAutoTopicCreation: false, metadataMaxAge: METADATA_AGE_MS })
}

/** kafkajs' errors as people can act on them. Their texts name brokers and users, never passwords. */
function kafkaError(config: KafkaConfig, error: unknown): Error {
  if (error instanceof CinchError) return error
  const cause = error instanceof Error ? error : new Error(String(error))
  const where = `Kafka at ${config.brokers.join(', ')}`
  const what = cause.message.split('\n')[0]?.slice(0, 300) ?? ''
  if (/SASL|AUTHORIZATION_FAILED|not authorized/i.test(`${cause.name} ${what}`))
    return new CinchError(
      'kafka_refused',
      `${where} refuses ${config.sasl ? `the user '${config.sasl.username}'` : 'a client without a user'}: ${what}`,
      'check sasl (mechanism, username, password) and what the user may read',
      { cause },
    )
  if (/certificate|SSL|TLS/i.test(what))
    return new CinchError(
      'kafka_refused',
      `${where} and Cinch do not trust each other: ${what}`,
      'check tls: the authority that signed the brokers’ certificates, and the certificate for this client',
      { cause },
    )
  return new CinchError(
    'kafka_unreachable',
    `${where} does not answer: ${what}`,
    'check that the brokers run, that their addresses are right, and whether they ask for TLS',
    { cause },
  )
}
