import type { Store } from '../../../store/store.ts'
import type { Committer } from '../../commit.ts'
import { createLanes } from '../../lanes.ts'
import type { Assigned, Consumer, Fetched, KafkaClient } from '../kafka.ts'
import type { Chunks, Feed } from './chunks.ts'
import type { KafkaConfig } from './config.ts'
import { inflate } from './decompress.ts'
import { frameMessages } from './framing.ts'
import { ledgerOf } from './ledger.ts'
import { knownPositions, type Place, placeName, placesOf } from './positions.ts'
import type { RecordBatch } from './record-batch.ts'
import { startTelling } from './tell.ts'
import { UndecodableError } from './undecodable.ts'

/** One membership in the consumer group, until something ends it. */
export interface Session {
  /** Resolves when it has ended by itself; without a reason when it is to begin again at once. */
  ended: Promise<{ reason: unknown }>
  stop(): Promise<void>
}

export interface SessionParts {
  store: Store
  committer: Committer
  config: KafkaConfig
  client: KafkaClient
  chunks: Chunks
  feeds: Feed[]
  clusterId: string
  /** Aborted when the receiver stops. */
  signal: AbortSignal
  note(text: string): void
}

/** What one generation of the group gave this member. */
interface Assignment {
  consumer: Consumer
  places: Promise<Map<string, Place>>
}

/** Joins the group and takes messages until it ends. */
export async function startSession(parts: SessionParts): Promise<Session> {
  const { client, feeds, store } = parts
  const ended = Promise.withResolvers<{ reason: unknown }>()
  const over = new AbortController()
  const end = (reason?: unknown) => {
    over.abort()
    ended.resolve({ reason })
  }
  const feedOf = new Map(feeds.map((feed) => [feed.config.topic, feed]))
  // One batch is inflated at a time: that bounds the memory.
  const one = createLanes([0])
  const ids = sharing(() => client.ids(feeds.map(({ config }) => config.topic)))
  let assignment: Assignment | undefined
  const isCurrent = (asked: Assignment) => asked === assignment && !over.signal.aborted && !parts.signal.aborted
  const consumer = await client.consume(
    feeds.map(({ config }) => config.topic),
    {
      crashed: end,
      assigned: (member, partitions) => {
        const places = place(parts, member, partitions)
        places.catch(end)
        assignment = { consumer: member, places }
      },
      fetched: async (fetched) => {
        const current = assignment
        const feed = feedOf.get(fetched.topic)
        if (!current || !feed) return
        const found = (await current.places).get(placeName(fetched.topic, fetched.partition))
        if (!found || fetched.isStale() || !isCurrent(current)) return
        if (isCut(store, found, fetched) || (await ids()).get(fetched.topic) !== found.id) return end()
        const take = taker(parts, feed, found, () => isCurrent(current))
        const added: Promise<void>[] = []
        for (const batch of fetched.batches) {
          const taken = await one(async () => {
            await parts.chunks.room(async () => {
              if (!isCurrent(current)) throw new Error('the partition is no longer ours')
              await fetched.heartbeat()
            })
            return isCurrent(current) ? await take(batch) : undefined
          })
          if (!taken || !isCurrent(current)) return
          fetched.resolve(batch.lastOffset)
          added.push(taken.stored)
        }
        // Beside other processes a partition is given back only when the store has what was taken of it.
        if (store.location.kind !== 'chdb') await beating(Promise.all(added), fetched.heartbeat)
      },
    },
  )
  const telling = startTelling(ledgerOf(store), consumer, async () => await assignment?.places, parts.note)
  return {
    ended: ended.promise,
    stop: async () => {
      over.abort()
      try {
        // A receiver that stops is a member until the store has what it took, so that it can still say so.
        consumer.pause()
        if (parts.signal.aborted) await parts.chunks.close()
      } finally {
        await telling.end()
        await consumer.stop()
      }
    },
  }
}

/** Looks up where each partition goes on, and goes there. */
async function place(parts: SessionParts, consumer: Consumer, assigned: Assigned[]): Promise<Map<string, Place>> {
  const { store, committer, client, config, clusterId } = parts
  const group = `${clusterId}/${config.group}`
  const ledger = ledgerOf(store)
  const known = await knownPositions(store, ledger, committer.held(), group, assigned)
  const topics = await client.topics(assigned.map(({ topic }) => topic))
  const found = new Map<string, Place>()
  for (const { topic, partitions } of assigned) {
    const existing = topics.find((candidate) => candidate.topic === topic)
    if (!existing) continue
    const { places, notes } = placesOf(group, existing, partitions, known.get(topic) ?? [])
    for (const text of notes) parts.note(`Kafka: ${text}`)
    for (const one of places) {
      found.set(placeName(topic, one.partition), one)
      consumer.seek({ topic, partition: one.partition, next: ledger.begin(one.key, one.start) })
    }
  }
  return found
}

/** True when the log ends before what was taken of it. */
const isCut = (store: Store, { key }: Place, { highWatermark }: Fetched) =>
  highWatermark < (ledgerOf(store).taken(key) ?? 0)

/** Calls that come while one runs share the next one: each gets an answer that was asked for after it came. */
function sharing<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<T> | undefined
  return () => {
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined
        const asked = work()
        running = asked
        return asked
      })
    return next
  }
}

/** Takes the messages of a batch that were not taken yet. */
function taker({ store, chunks }: SessionParts, feed: Feed, place: Place, isOurs: () => boolean) {
  const { key, topic, partition, start } = place
  const ledger = ledgerOf(store)
  const isTaken = (batch: RecordBatch) => batch.lastOffset < (ledger.taken(key) ?? start)
  return async (batch: RecordBatch): Promise<{ stored: Promise<void> }> => {
    if (isTaken(batch)) return { stored: Promise.resolve() }
    const records = await inflate(batch.codec, batch.records).catch((error: unknown) => {
      if (error instanceof UndecodableError) return error
      throw error
    })
    // Nothing waits from here on: meanwhile another receiver of the same store may have taken some of them, or this one been
    // stopped, which takes nothing more.
    if (isTaken(batch) || !isOurs()) return { stored: Promise.resolve() }
    const first = ledger.taken(key) ?? start
    const next = batch.lastOffset + 1
    const messages = frameMessages(feed.config.framing, batch, records, first, placeName(topic, partition))
    return { stored: chunks.add(feed, { ...messages, ...ledger.take(key, first, next), key, first, next }) }
  }
}

/** Waits for work that may take longer than the group waits for a heartbeat. */
async function beating(work: Promise<unknown>, heartbeat: () => Promise<void>): Promise<void> {
  let isDone = false
  const done = work.then(() => {
    isDone = true
  })
  while (!isDone) {
    await Promise.race([done, new Promise((resolve) => setTimeout(resolve, BEAT_MS))])
    await heartbeat()
  }
}

const BEAT_MS = 1_000
