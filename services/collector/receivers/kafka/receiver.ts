import { setTimeout as sleep } from 'node:timers/promises'
import { CinchError } from '../../../model/errors.ts'
import type { Store } from '../../../store/store.ts'
import type { Committer } from '../../commit.ts'
import type { Senders } from '../../senders.ts'
import { createKafkaClient, type KafkaClient } from '../kafka.ts'
import { type Chunks, type Feed, joinChunks } from './chunks.ts'
import type { KafkaConfig, TopicConfig } from './config.ts'
import { startSession } from './session.ts'

/** A running receiver of one Kafka connection. */
export interface KafkaReceiver {
  /** Takes nothing more; resolves when what was taken is in the store, or stays in its spool. */
  stop(): Promise<void>
}

export interface KafkaReceiverParts {
  store: Store
  committer: Committer
  senders: Senders
  config: KafkaConfig
  /** Told to people: what is waited for, and why. */
  note(text: string): void
  /** How much is committed at once, where it is not to be the usual. */
  chunkBytes?: number
}

/** How often topics, their ids and the senders' registrations are looked at. */
const LOOK_EVERY_MS = 5_000
const AGAIN_MS = 500
const AGAIN_MS_MAX = 10_000

/**
 * Reads the topics of a connection into the store, each message once, until it is stopped. Brokers that go away are waited
 * for, and topics that do not exist yet.
 *
 * Memory: one fetch (16 MiB, or the broker's largest batch), one inflated batch (64 MiB), and what waits for all receivers of
 * the store (96 MiB of messages, in buffers of at most twice that).
 * @throws CinchError `kafka_refused` when user, password or certificates are not accepted: waiting would not help
 */
export async function startKafkaReceiver(parts: KafkaReceiverParts): Promise<KafkaReceiver> {
  const stopping = new AbortController()
  const first = createKafkaClient(parts.config)
  const failure = await first.connect().then(
    () => undefined,
    (error: unknown) => error,
  )
  await first.disconnect()
  if (failure instanceof CinchError && failure.code === 'kafka_refused') throw failure
  const chunks = await joinChunks(parts.committer, parts.note, parts.chunkBytes)
  const ended = supervise(parts, chunks, stopping.signal)
  return {
    stop: async () => {
      stopping.abort()
      await ended
      await chunks.close()
    },
  }
}

/** One session after another: each ends when something has changed or failed, and the next begins with what is there then. */
async function supervise(parts: KafkaReceiverParts, chunks: Chunks, signal: AbortSignal): Promise<void> {
  let told = ''
  let faults = 0
  while (!signal.aborted) {
    const client = createKafkaClient(parts.config)
    try {
      const outcome = await runSession(parts, client, chunks, signal)
      if (outcome) throw outcome
      told = ''
      faults = 0
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      // One note for a fault that stays, none for one that is over at the second try: a coordinator that still loads, a
      // broker that has just begun.
      if (++faults > 1 && text !== told) {
        parts.note(`Kafka: ${text}; trying again`)
        told = text
      }
      await pause(Math.min(AGAIN_MS * 2 ** (faults - 1), AGAIN_MS_MAX), signal)
    } finally {
      await client.disconnect().catch((error: unknown) => parts.note(`Kafka: ${String(error)}`))
    }
  }
}

/** @returns what it failed with, or undefined when it ended because something changed */
async function runSession(
  parts: KafkaReceiverParts,
  client: KafkaClient,
  chunks: Chunks,
  signal: AbortSignal,
): Promise<unknown> {
  const { clusterId } = await client.connect()
  const names = parts.config.topics.map(({ topic }) => topic)
  const look = async () => {
    const ids = await client.ids(names)
    const { feeds, waiting } = await feedsOf(parts, ids)
    return { feeds, waiting, what: JSON.stringify([[...ids].sort(), feeds]) }
  }
  const { feeds, waiting, what } = await look()
  for (const text of waiting) parts.note(text)
  const session =
    feeds.length > 0 ? await startSession({ ...parts, client, chunks, feeds, clusterId, signal }) : undefined
  try {
    while (!signal.aborted) {
      const ended = await Promise.race([pause(LOOK_EVERY_MS, signal), ...(session ? [session.ended] : [])])
      if (ended) return ended.reason
      if ((await look()).what !== what) return undefined
    }
    return undefined
  } finally {
    await session?.stop()
  }
}

/** The topics that exist and whose senders are registered for their source; of the others, why they wait. */
async function feedsOf(
  { config, senders }: KafkaReceiverParts,
  existing: Map<string, string>,
): Promise<{ feeds: Feed[]; waiting: string[] }> {
  const feeds: Feed[] = []
  const waiting: string[] = []
  for (const topic of config.topics) {
    const feed = existing.has(topic.topic) ? await feedOf(senders, topic) : 'it does not exist'
    if (typeof feed === 'string') waiting.push(`Kafka: topic ${topic.topic} waits: ${feed}`)
    else feeds.push(feed)
  }
  return { feeds, waiting }
}

/** A topic with its origin, or why it has none. What messages say of themselves has no say in it. */
async function feedOf(senders: Senders, config: TopicConfig): Promise<Feed | string> {
  const origin = await senders.named(config.sender, config.source)
  if (!origin) return `no sender '${config.sender}' is registered for ${config.source} (cinch senders add)`
  if (origin.cluster && config.cluster && origin.cluster !== config.cluster)
    return `its sender speaks for cluster ${origin.cluster}, not ${config.cluster}`
  return { config, origin: { ...origin, cluster: origin.cluster || config.cluster } }
}

async function pause(ms: number, signal: AbortSignal): Promise<undefined> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
