import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Committer, Note } from '../../commit.ts'
import { createLanes } from '../../lanes.ts'
import type { Origin } from '../../origin.ts'
import type { TopicConfig } from './config.ts'
import type { FramedMessages } from './framing.ts'
import type { Taking } from './ledger.ts'

/**
 * A chunk is ripe at this size, or when its oldest message has waited so long. Each costs the engine 100 to 150 ms before its
 * first line: with 32 MiB a backlog was read a fifth slower.
 */
export const CHUNK_BYTES = 64 << 20
const GATHER_MS = 250
/** Whoever waits for room looks up so often, to stay a member of its group. */
const LOOK_UP_MS = 500
/** Messages that wait to be spooled, over all topics. Beyond it nothing more is fetched. */
export const WAITING_BYTES_MAX = 96 << 20
/** Chunks in the spool at once: one for each lane of the store. The next one is gathered meanwhile. */
const COMMITS_MAX = 2
/** A chunk with so many entries of rejects is committed, whatever its size. */
const REJECTS_MAX = 1_000
const RETRY_MS = 250
const RETRY_MS_MAX = 10_000
const CLOSE_DEADLINE_MS = 20_000

/** Messages of one partition, in order and without a gap that was not there. */
export interface Piece extends FramedMessages, Taking {
  /** Name of the position in the store. */
  key: string
  first: number
  next: number
}

/** One topic's messages, taken on one sender's word. */
export interface Feed {
  config: TopicConfig
  origin: Origin
}

/** Gathers messages to chunks and commits them, so that many small ones cost one insert. */
export interface Chunks {
  /** @returns resolves when the messages are in the store, or were given up */
  add(feed: Feed, piece: Piece): Promise<void>
  /**
   * Waits until more may be taken.
   * @param heartbeat called while waiting; what it throws ends the wait
   */
  room(heartbeat: () => Promise<void>): Promise<void>
  /** Commits what was gathered, and resolves when it is in the store; what the store does not take by then stays in the spool. */
  close(): Promise<void>
}

/** What is needed of a committer. */
type Spooling = Pick<Committer, 'spool'>

interface Batch {
  feed: Feed
  pieces: Piece[]
  bytes: number
  rejects: number
  /** When it is committed, full or not. */
  ripeMs: number
  bytesMax: number
  note(text: string): void
  done: PromiseWithResolvers<void>
}

/** What all receivers of a committer gather in, so that messages reach the spool in the order in which they were taken. */
interface Gatherer {
  gathering: Map<string, Batch>
  running: Map<Batch, Promise<void>>
  waiting: Level
  pump(): void
  /** Aborted when what still waits is given up. */
  abort: AbortController
  users: number
  /** Set once its last user leaves. */
  ended?: Promise<void>
}

const gatherers = new WeakMap<Spooling, Gatherer>()

/** Waits for receivers that are leaving: what they give up must not come behind what is taken now. */
export async function joinChunks(
  committer: Spooling,
  note: (text: string) => void,
  bytesMax = CHUNK_BYTES,
): Promise<Chunks> {
  await gatherers.get(committer)?.ended
  const gatherer = gatherers.get(committer) ?? createGatherer(committer)
  gatherers.set(committer, gatherer)
  gatherer.users++
  const { gathering, waiting, pump } = gatherer
  let closed: Promise<void> | undefined
  return {
    add: (feed, piece) => {
      const name = JSON.stringify([feed.config, feed.origin])
      let batch = gathering.get(name)
      if (!batch) {
        const ripeMs = performance.now() + GATHER_MS
        batch = { feed, note, bytesMax, ripeMs, pieces: [], bytes: 0, rejects: 0, done: Promise.withResolvers() }
        gathering.set(name, batch)
      }
      batch.pieces.push(piece)
      batch.bytes += piece.bytes.length
      batch.rejects += piece.rejects.length
      waiting.add(piece.bytes.length)
      pump()
      return batch.done.promise
    },
    room: async (heartbeat) => {
      while (waiting.bytes() >= WAITING_BYTES_MAX) {
        await waiting.lowered(LOOK_UP_MS)
        await heartbeat()
      }
    },
    close: () => {
      closed ??= leave(committer, gatherer)
      return closed
    },
  }
}

function createGatherer(committer: Spooling): Gatherer {
  const gathering = new Map<string, Batch>()
  const running = new Map<Batch, Promise<void>>()
  const waiting = createLevel()
  const abort = new AbortController()
  const spooling = createLanes([0])
  let timer: NodeJS.Timeout | undefined
  const pump = () => {
    for (const [name, batch] of gathering) {
      if (running.size >= COMMITS_MAX) return
      if (!isRipe(batch)) continue
      gathering.delete(name)
      const work = commitBatch({ committer, spooling, waiting, signal: abort.signal }, batch).finally(() => {
        running.delete(batch)
        pump()
      })
      running.set(batch, work)
    }
    clearTimeout(timer)
    timer = gathering.size > 0 ? setTimeout(pump, GATHER_MS) : undefined
  }
  return { gathering, running, waiting, pump, abort, users: 0 }
}

const isRipe = ({ bytes, bytesMax, rejects, ripeMs }: Batch) =>
  bytes >= bytesMax || rejects >= REJECTS_MAX || performance.now() >= ripeMs

/** Commits what is gathered, and waits for it; the last one to leave gives up what takes too long. */
async function leave(committer: Spooling, gatherer: Gatherer): Promise<void> {
  const { gathering, running, pump, abort } = gatherer
  const isLast = --gatherer.users === 0
  const batches = [...gathering.values(), ...running.keys()]
  for (const batch of gathering.values()) batch.ripeMs = 0
  const done = Promise.all(batches.map((batch) => batch.done.promise)).then(() => {})
  const late = Promise.withResolvers<void>()
  const deadline = setTimeout(() => (isLast ? abort.abort() : late.resolve()), CLOSE_DEADLINE_MS)
  const ended = Promise.race([done, late.promise]).finally(() => {
    clearTimeout(deadline)
    if (isLast) gatherers.delete(committer)
  })
  if (isLast) gatherer.ended = ended
  pump()
  await ended
}

/** How much waits, and a way to wait until it is less. */
function createLevel() {
  let bytes = 0
  let lowered = Promise.withResolvers<void>()
  return {
    bytes: () => bytes,
    add: (more: number) => {
      bytes += more
    },
    lower: (less: number) => {
      bytes -= less
      lowered.resolve()
      lowered = Promise.withResolvers<void>()
    },
    lowered: async (atMostMs: number) => {
      const stop = new AbortController()
      await Promise.race([lowered.promise, sleep(atMostMs, undefined, { signal: stop.signal }).catch(() => {})])
      stop.abort()
    },
  }
}

type Level = ReturnType<typeof createLevel>

interface Commit {
  committer: Spooling
  /** One chunk is spooled after another: a position that is kept must have everything before it in the spool, at least. */
  spooling: ReturnType<typeof createLanes<number>>
  waiting: Level
  signal: AbortSignal
}

async function commitBatch({ committer, spooling, waiting, signal }: Commit, batch: Batch): Promise<void> {
  const { pieces, feed, bytes, note } = batch
  const chunk = pieces.map((piece) => piece.bytes)
  const description = noteOf(feed, pieces)
  const what = `messages of topic ${feed.config.topic}`
  // Not synced: Kafka has them until the store has them.
  const spool = () => committer.spool(chunk, description, false)
  const insert = await spooling(() => persist(spool, `${what} wait for the spool`))
  waiting.lower(bytes)
  if (!insert) for (const piece of pieces) piece.lost()
  else if (await persist(insert, `${what} wait for the store`)) for (const piece of pieces) piece.stored()
  batch.done.resolve()

  /** Tries until it succeeds; undefined when there is no more time. */
  async function persist<T>(work: () => Promise<T>, why: string): Promise<T | undefined> {
    let isTold = false
    for (let delayMs = RETRY_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      try {
        const result = await work()
        if (isTold) note(`${what} go on`)
        return result
      } catch (error) {
        if (!isTold) note(`${why}: ${error instanceof Error ? error.message : String(error)}`)
        isTold = true
        await sleep(delayMs, undefined, { signal }).catch(() => {})
      }
    }
    return undefined
  }
}

/** The chunk's identity is where its messages lie: the same messages in the same bounds are the same chunk. */
function noteOf({ config, origin }: Feed, pieces: Piece[]): Note {
  const ends = new Map<string, number>()
  for (const { key, next } of pieces) ends.set(key, Math.max(next, ends.get(key) ?? 0))
  const where = [config.source, origin.cluster, origin.sender, pieces.map(({ key, first, next }) => [key, first, next])]
  const rejects = pieces.flatMap((piece) => piece.rejects)
  return {
    source: config.source,
    framing: config.framing === 'otlp_proto' ? 'protobuf' : 'lines',
    origin,
    receiver: 'kafka',
    token: createHash('sha256').update(JSON.stringify(where)).digest('hex'),
    lines: pieces.reduce((sum, { lines }) => sum + lines, 0),
    positions: [...ends].map(([file, end]) => ({ file, beginning: 0, end })),
    ...(rejects.length > 0 ? { rejects } : {}),
  }
}
