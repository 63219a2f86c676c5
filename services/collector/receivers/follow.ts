import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FilePosition, filePositions } from '../../store/queries/files.ts'
import type { Store } from '../../store/store.ts'
import type { Committer } from '../commit.ts'
import { framingOf, ingest } from '../ingest.ts'
import { countLines } from '../input/chunks.ts'
import { openInput } from '../input/input.ts'
import { type Observer, SILENT } from '../observe.ts'
import type { Origin } from '../origin.ts'
import type { Source } from '../sources/index.ts'
import { type Content, Contents } from './follow/contents.ts'
import { Files, type Look } from './follow/files.ts'
import { followedSince } from './follow/since.ts'
import { LINE_BYTES_MAX, readTail, settle, type Tail } from './follow/tail.ts'
import { beginningOf, gzipSize } from './follow/watch.ts'

/** New lines of all files are gathered into one chunk of so many bytes at most: one chunk is in memory. */
export const BATCH_BYTES = 16 << 20
/** So much is read of one file before it is the next one's turn. */
const TURN_BYTES = 4 << 20
/** A file with less that is new waits until its last commit is `commitEveryMs` ago. */
const AT_ONCE_BYTES = 1 << 20
/** Chunks on their way at once, one for each lane of the store; each lies in the spool. */
const IN_FLIGHT_MAX = 2
/** After so long the files are looked at anew, however much is left to read. */
const ROUND_MS = 2000
const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 30_000

/** How often what is looked at. Tests are in more of a hurry than people. */
export interface Timing {
  pollMs: number
  /** Patterns are expanded anew so often. */
  expandEveryMs: number
  /** A file is committed so often at most, while little is new. */
  commitEveryMs: number
  /** A file to which no path leads is at its end when it was quiet for so long: a line without its end is then a line. */
  quietMs: number
}

export const TIMING: Timing = { pollMs: 500, expandEveryMs: 2000, commitEveryMs: 1000, quietMs: 60_000 }

export interface FollowOptions {
  store: Store
  committer: Committer
  /** Of lines: access logs, OTLP as JSON lines. */
  source: Source
  origin: Origin
  /** Paths, and patterns with `*`, `?`, `[…]`, `{…}` and `**`. */
  patterns: string[]
  /** Says once what a person should know: a file that cannot be read, a store that does not answer. */
  note: (text: string) => void
  observe?: Observer
  timing?: Partial<Timing>
}

export interface Follower {
  counts(): { accepted: number; rejected: number; bytes: number }
  /** Resolves when all that whole lines of the files now hold is in the store. */
  caughtUp(): Promise<void>
  /** Ends it: what is on its way is committed; where the store does not answer, it stays in the spool. */
  stop(): Promise<void>
}

/**
 * Follows files as they grow, are renamed, truncated, packed and removed, and commits their new lines. Every line counts
 * once, whatever becomes of this process and of the files' names: a chunk and the positions that it reaches are one entry
 * of the spool, and contents are known by their beginnings. `committer.recover()` must have run. Resolves when the files
 * that are there are open: from then on their names do not matter.
 */
export async function follow(options: FollowOptions): Promise<Follower> {
  const running = new Running(options, await positionsOf(options))
  const ended = running.run()
  await running.looked
  return {
    counts: () => running.counts,
    caughtUp: () => running.caughtUp(),
    stop: async () => {
      running.stopping.abort()
      await ended
    },
  }
}

/** How far files are in the store, or in chunks that only wait in the spool for it. */
async function positionsOf({ store, committer, source, origin }: FollowOptions): Promise<FilePosition[]> {
  const { cluster } = origin
  return [...(await filePositions(store.reads, source.id, cluster)), ...committer.held({ source: source.id, cluster })]
}

class Running {
  readonly counts = { accepted: 0, rejected: 0, bytes: 0 }
  readonly stopping = new AbortController()
  /** Resolves after the first look at the files. */
  readonly looked: Promise<void>
  readonly #options: FollowOptions
  readonly #timing: Timing
  readonly #contents: Contents
  readonly #files: Files
  readonly #inFlight = new Set<Promise<void>>()
  readonly #noted = new Set<string>()
  readonly #buffer = Buffer.allocUnsafe(BATCH_BYTES)
  #used = 0
  #positions = new Map<Content, FilePosition>()
  #waiting: (() => void)[] = []
  #hasLooked = () => {}

  constructor(options: FollowOptions, positions: FilePosition[]) {
    this.#options = options
    this.looked = new Promise((resolve) => {
      this.#hasLooked = resolve
    })
    this.#timing = { ...TIMING, ...options.timing }
    this.#contents = new Contents(positions)
    const { store, source, origin, patterns } = options
    const keys = patterns.map((pattern) => `${source.id} ${origin.cluster} ${pattern}`)
    const sinceMs = followedSince(join(store.dataDir, 'follow.json'), keys, Date.now())
    this.#files = new Files(patterns, this.#contents, this.#timing.expandEveryMs, sinceMs)
  }

  async run(): Promise<void> {
    const { observe = SILENT, source, origin } = this.#options
    const attributes = { source: source.id, sender: origin.sender, cluster: origin.cluster }
    const gauges = [
      observe.gauge(
        { name: 'cinch.follow.files', unit: '{file}', description: 'Files that are followed.', attributes },
        () => this.#files.tails.size,
      ),
      observe.gauge(
        { name: 'cinch.follow.lag', unit: 'By', description: 'Bytes of followed files yet to be read.', attributes },
        () => lagBytes(this.#files.tails.values()),
      ),
    ]
    const { signal } = this.stopping
    while (!signal.aborted) {
      await this.#round().catch((error: unknown) => this.#note('round', `following files failed: ${messageOf(error)}`))
      await sleep(this.#timing.pollMs, undefined, { signal }).catch(() => {})
    }
    await Promise.all(this.#inFlight)
    for (const free of gauges) free()
    this.#files.close()
    for (const resolve of this.#waiting) resolve()
    this.#hasLooked()
  }

  caughtUp(): Promise<void> {
    return this.stopping.signal.aborted ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** One look at all files: as many turns as there is something new, then what was rotated and packed. */
  async #round(): Promise<void> {
    // Who asks during this round may ask about what came after its look at the files.
    const waiting = this.#waiting
    this.#waiting = []
    const look = await this.#files.look(Date.now(), waiting.length > 0)
    for (const text of look.notes) this.#note(text, text)
    // All before any is read: one that was truncated no longer holds what its copy beside it does.
    const readable = look.changed.filter((tail) => this.#settle(tail))
    for (const tail of readable) this.#files.separate(tail)
    this.#hasLooked()
    const started = Date.now()
    let more = true
    while (more && !this.stopping.signal.aborted && Date.now() - started < ROUND_MS) {
      more = false
      for (const tail of readable) more = (await this.#turn(tail, waiting.length > 0)) || more
    }
    await this.#flush()
    if (look.packed.length > 0) await this.#loadPacked(look)
    for (const text of this.#files.closeQuiet(Date.now(), this.#timing.quietMs)) this.#note(text, text)
    if (waiting.length > 0) await Promise.all(this.#inFlight)
    if (more || look.packing || this.#files.turned) this.#waiting.push(...waiting)
    else for (const resolve of waiting) resolve()
  }

  #settle(tail: Tail): boolean {
    if (!this.#files.open(tail)) {
      if (!tail.detached) this.#note(tail.id, `${tail.path} cannot be read`)
      return false
    }
    const found = settle(tail, this.#contents, Date.now())
    if (found === 'packed') this.#files.repack(tail)
    if (found === 'packed') return false
    if (found === 'anew') this.#files.truncated(tail)
    if (framingOf(this.#options.source, tail.head) === 'lines') return true
    this.#note(tail.id, `${tail.path} is no file of lines and cannot be followed: load it with cinch ingest`)
    return false
  }

  /** Takes up to `TURN_BYTES` of what is new in a file. @returns true when there is more */
  async #turn(tail: Tail, hurry: boolean): Promise<boolean> {
    const now = Date.now()
    const { content } = tail
    if (this.stopping.signal.aborted || !content || !this.#files.open(tail)) return false
    const final = tail.detached && now - tail.grownMs >= this.#timing.quietMs
    const due = hurry || now - tail.readMs >= this.#timing.commitEveryMs || tail.size - content.end >= AT_ONCE_BYTES
    if (content.end >= tail.size || !(due || final) || (tail.looked === tail.size && !final)) return false
    if (BATCH_BYTES - this.#used <= LINE_BYTES_MAX) await this.#flush()
    const free = this.#buffer.subarray(this.#used, Math.min(this.#used + TURN_BYTES, BATCH_BYTES))
    const { bytes, length } = readTail(tail, free, final)
    if (length === 0) tail.looked = tail.size
    if (length === 0) return false
    this.#used += bytes.length
    this.#positions.set(content, this.#contents.advance(content, bytes.subarray(0, length)))
    const more = content.end < tail.size
    if (!more) tail.readMs = now
    return more
  }

  /** Commits what was gathered. Resolves when it is in the spool and a lane is near. */
  async #flush(): Promise<void> {
    if (this.#used === 0) return
    const { committer, source, origin } = this.#options
    const bytes = this.#buffer.subarray(0, this.#used)
    const note = {
      source: source.id,
      framing: 'lines' as const,
      origin,
      // Any token will do: a chunk that is in the spool keeps it, and one that is not was never inserted.
      token: randomUUID(),
      lines: countLines(bytes),
      positions: [...this.#positions.values()],
      receiver: 'follow',
    }
    // In order: were a later chunk in the spool and this one not, a kill would lose it.
    const insert = await this.#untilDone('the spool', () => committer.spool([bytes], note, false))
    if (!insert) throw new Error('stopped before the spool took a chunk; it is read again at the next start')
    this.#used = 0
    this.#positions = new Map()
    const work = this.#untilDone('the store', insert)
      .then((counts) => {
        this.counts.accepted += counts?.accepted ?? 0
        this.counts.rejected += counts?.rejected ?? 0
        this.counts.bytes += bytes.length
      })
      .finally(() => this.#inFlight.delete(work))
    this.#inFlight.add(work)
    if (this.#inFlight.size >= IN_FLIGHT_MAX) await Promise.race(this.#inFlight)
  }

  /** Tries until it succeeds, ever more slowly; gives up only when it is told to stop. */
  async #untilDone<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
      try {
        return await work()
      } catch (error) {
        this.#note(what, `${what} takes no lines now, and is asked again: ${messageOf(error)}`)
      }
      if (this.stopping.signal.aborted) return undefined
      await sleep(waitMs, undefined, { signal: this.stopping.signal }).catch(() => {})
    }
  }

  /** Packed files are loaded as `cinch ingest` does: what is known of their content is skipped. */
  async #loadPacked({ packed }: Look): Promise<void> {
    const { store, committer, source, origin } = this.#options
    await Promise.all(this.#inFlight)
    for (const { path } of packed) {
      if (this.stopping.signal.aborted) return
      try {
        // Most packed files were read before they were packed: their size says so, and they need not be unpacked.
        const end = this.#contents.end(beginningOf(path))
        if (end > 0 && gzipSize(path) === end % 2 ** 32) continue
        const { accepted, rejected, bytes } = await ingest(store, committer, source, origin, await openInput(path))
        this.counts.accepted += accepted
        this.counts.rejected += rejected
        this.counts.bytes += bytes
      } catch (error) {
        this.#note(path, `${path}: ${messageOf(error)}`)
      }
    }
    this.#contents.learn(await positionsOf(this.#options))
  }

  #note(about: string, text: string): void {
    if (this.#noted.size > NOTED_MAX) this.#noted.clear()
    if (this.#noted.has(`${about} ${text}`)) return
    this.#noted.add(`${about} ${text}`)
    this.#options.note(text)
  }
}

/** Notes that are remembered, so that each is said once. */
const NOTED_MAX = 1000

const messageOf = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 300) ?? ''

function lagBytes(tails: Iterable<Tail>): number {
  let bytes = 0
  for (const { size, content } of tails) bytes += Math.max(0, size - (content?.end ?? 0))
  return bytes
}
