import { createHash } from 'node:crypto'
import { OverloadedError } from '../../model/overloaded.ts'
import type { SpoolEntry } from '../../store/spool.ts'
import type { Committer, Note } from '../commit.ts'
import { type Budget, createBudget, type Hold, WAITING_BYTES_MAX } from './budget.ts'
import type { Gatherer, GathererState, Submission } from './gather.ts'
import { joined, type Outcome } from './parts.ts'
import { createQuota, createTurns, QUOTA_BYTES_PER_SECOND, type Signal } from './quota.ts'
import { createRequests, identify, REMEMBERED_MAX } from './requests.ts'
import { type Candidate, createTurn, type Turn } from './turn.ts'

/** A chunk is committed at this size at the latest: where the fixed cost of an insert has disappeared. */
export const COMMIT_BYTES = 96 << 20
/** Requests in a chunk at most: their identities go in one statement. */
const PARTS_MAX = 4096
/** How long the first request of a chunk waits for others. While all lanes are busy the chunk waits and grows. */
export const GATHER_MS = 50
/** What the spool holds at most of chunks that the store does not take. */
export const SPOOL_BYTES_MAX = 2 ** 30
/** A sender hears within this time, just below the five seconds after which the OpenTelemetry Collector gives up. */
export const ANSWER_WITHIN_MS = 4500
/** While the store is away, chunks that are not full go to the spool after this time, so that memory is free. */
const SPOOL_AFTER_MS = 1000
const BACKOFF_MS = { first: 100, most: 10_000 }
const RETRY_STORE_MS = 3000
const RETRY_DISK_MS = 10_000
/** How often it is looked whether something is due. */
const TICK_MS = 10
/** What is not in the store so long after the end was asked for stays in the spool. */
const CLOSE_WITHIN_MS = 10_000

interface Waiting {
  id: string
  bytes: Buffer
  records: number | undefined
  hold: Hold
  resolve(outcome: Outcome): void
  reject(error: unknown): void
}

/** Requests of one sender, source and framing that become one chunk. */
interface Group extends Candidate {
  about: Pick<Note, 'source' | 'framing' | 'origin' | 'receiver'>
  parts: Waiting[]
}

/** A chunk in the spool, with whoever waits for it. */
interface Staged {
  entry: SpoolEntry<Note>
  /** Whose turn it was, until the store took or refused it; undefined for what an earlier process left. */
  turn?: Pick<Candidate, 'key' | 'sender'> | undefined
  bytes: number
  parts: Pick<Waiting, 'resolve' | 'reject'>[]
  isSynced: boolean
  attempts: number
  notBeforeMs: number
}

/** The bounds of a gatherer when nothing else is said. */
export const GATHERER_DEFAULTS = {
  commitBytes: COMMIT_BYTES,
  gatherMs: GATHER_MS,
  waitingBytesMax: WAITING_BYTES_MAX,
  spoolBytesMax: SPOOL_BYTES_MAX,
  answerWithinMs: ANSWER_WITHIN_MS,
  quotaBytesPerSecond: QUOTA_BYTES_PER_SECOND,
  rememberedMax: REMEMBERED_MAX,
  note: (_text: string) => {},
  now: () => performance.now(),
}

/** Groups requests, writes groups to the spool, and inserts them by turns of their senders. */
export class GroupCommit implements Gatherer {
  readonly #committer: Committer
  readonly #lanes: number
  readonly #options: typeof GATHERER_DEFAULTS
  readonly #budget: Budget
  readonly #quota
  readonly #requests
  /** Groups that wait to be written to the spool, and those of them that still take requests. */
  readonly #groups = createTurns<Group>()
  readonly #open = new Map<string, Group>()
  readonly #staged = createTurns<Staged>()
  readonly #turn: Turn
  #staging = 0
  #inserting = 0
  #spooledBytes = 0
  #isStalled = false
  #isClosing = false
  #timer: NodeJS.Timeout | undefined

  constructor(committer: Committer, lanes: number, options: typeof GATHERER_DEFAULTS) {
    this.#committer = committer
    this.#lanes = lanes
    this.#options = options
    this.#turn = createTurn(lanes, options.gatherMs)
    this.#budget = createBudget(options.waitingBytesMax)
    this.#quota = createQuota(options.quotaBytesPerSecond)
    this.#requests = createRequests(options.now, options.rememberedMax)
  }

  /** Takes up where earlier processes ended. */
  resume(known: { id: string; accepted: number; rejected: number }[]): void {
    for (const request of known) this.#requests.remember(request.id, request)
    for (const entry of this.#committer.unfinished()) {
      const parts = (entry.note.parts ?? []).map(({ id }) => {
        const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
        this.#requests.begin(id, promise)
        return { resolve, reject }
      })
      this.#spooledBytes += entry.bytes
      const staged = { entry, bytes: entry.bytes, parts, isSynced: false, attempts: 1, notBeforeMs: 0 }
      this.#staged.add(entry.note.origin.sender, staged)
    }
    this.#pump()
  }

  admit(sender: string, signal: Signal): Hold {
    const waitMs = this.#quota.waitMs(sender, this.#options.now())
    if (waitMs > 0)
      throw new OverloadedError('quota', `${sender} has sent more than its quota of bytes a second`, waitMs)
    return this.#budget.hold(sender, signal)
  }

  async submit(submission: Submission): Promise<Outcome> {
    const { source, origin, bytes, hold } = submission
    this.#quota.charge(origin.sender, bytes.length, this.#options.now())
    const scope = JSON.stringify([source.id, origin.cluster, origin.sender])
    const id = identify(scope, bytes, submission.salt)
    const earlier = this.#requests.find(id)
    if (earlier || this.#isClosing) hold.release()
    if (earlier) return await this.#answered(earlier)
    if (this.#isClosing) throw new OverloadedError('store', 'this collector is ending', RETRY_STORE_MS)
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    this.#requests.begin(id, promise)
    this.#enqueue(submission, { id, bytes, records: submission.records, hold, resolve, reject })
    return await this.#answered(promise)
  }

  state(): GathererState {
    return {
      waitingBytes: this.#budget.bytes,
      spooledBytes: this.#spooledBytes,
      spooledChunks: this.#staged.size + this.#inserting,
      isStalled: this.#isStalled,
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true
    const end = this.#options.now() + CLOSE_WITHIN_MS
    while (this.#isBusy() && !this.#isAllSpooled() && this.#options.now() < end) {
      this.#pump()
      await new Promise((resolve) => setTimeout(resolve, TICK_MS))
    }
    clearTimeout(this.#timer)
  }

  #isBusy(): boolean {
    return this.#groups.size + this.#staged.size + this.#staging + this.#inserting > 0
  }

  /** True when the store is away and everything is in the spool: the next start finds it there. */
  #isAllSpooled(): boolean {
    return this.#isStalled && this.#groups.size + this.#staging === 0
  }

  /** The outcome, or after `answerWithinMs` the word that it is not there yet: the sender would give up without one. */
  async #answered(outcome: Promise<Outcome>): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new OverloadedError('store', 'the store has not taken it yet', RETRY_STORE_MS))
      }, this.#options.answerWithinMs)
    })
    return await Promise.race([outcome, late]).finally(() => clearTimeout(timer))
  }

  #enqueue(submission: Submission, part: Waiting): void {
    const { source, framing, origin, receiver } = submission
    const about = { source: source.id, framing, origin, receiver }
    const key = JSON.stringify(about)
    const isAlone = part.records === undefined
    let group = isAlone ? undefined : this.#open.get(key)
    if (group && group.bytes + part.bytes.length > this.#options.commitBytes) {
      this.#closeGroup(group)
      group = undefined
    }
    if (!group) {
      const sinceMs = this.#options.now()
      group = { key, sender: origin.sender, about, parts: [], bytes: 0, sinceMs, isClosed: isAlone }
      this.#groups.add(origin.sender, group)
      if (!isAlone) this.#open.set(key, group)
    }
    group.parts.push(part)
    group.bytes += part.bytes.length
    if (group.bytes >= this.#options.commitBytes || group.parts.length >= PARTS_MAX) this.#closeGroup(group)
    if (group.isClosed) this.#pump()
    else this.#tick()
  }

  #closeGroup(group: Group): void {
    group.isClosed = true
    if (this.#open.get(group.key) === group) this.#open.delete(group.key)
  }

  #tick(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, TICK_MS)
  }

  /** Does what can be done now, and comes back while anything is left to do. */
  #pump(): void {
    for (;;) {
      const group = this.#groups.next((candidate) => this.#isDue(candidate))
      if (!group) break
      this.#closeGroup(group)
      void this.#stage(group)
    }
    while (this.#inserting < this.#lanes) {
      const staged = this.#staged.next(({ notBeforeMs }) => notBeforeMs <= this.#options.now())
      if (!staged) break
      void this.#insert(staged)
    }
    if (this.#groups.size + this.#staged.size > 0) this.#tick()
  }

  /** While the store is away groups go to the spool after a while, up to its bound. */
  #isDue(group: Group): boolean {
    const { now, spoolBytesMax } = this.#options
    if (this.#spooledBytes + group.bytes > spoolBytesMax) return false
    if (!this.#isStalled && !this.#isClosing) return this.#turn.isDue(group, now())
    return this.#isClosing || group.isClosed || now() - group.sinceMs >= SPOOL_AFTER_MS
  }

  async #stage(group: Group): Promise<void> {
    this.#staging++
    this.#turn.begin(group)
    this.#spooledBytes += group.bytes
    const requests = group.parts.map((part) => part.bytes)
    const { bytes, lengths } = joined(requests, group.about.framing === 'lines')
    const parts = group.parts.map(({ id, records }, index) => ({ id, records, bytes: lengths[index] ?? 0 }))
    const lines = group.about.framing === 'lines' ? parts.reduce((sum, part) => sum + (part.records ?? 1), 0) : 0
    try {
      const note = { ...group.about, token: tokenOf(group), lines, parts }
      const isSynced = this.#isStalled
      const entry = await this.#committer.stage(bytes, note, isSynced)
      const waiting = group.parts.map(({ resolve, reject }) => ({ resolve, reject }))
      const turn = { key: group.key, sender: group.sender }
      const staged = { entry, turn, bytes: group.bytes, parts: waiting, isSynced, attempts: 0, notBeforeMs: 0 }
      this.#staged.add(group.sender, staged)
    } catch (cause) {
      this.#turn.end(group, this.#options.now(), 0)
      this.#spooledBytes -= group.bytes
      this.#options.note(`the spool cannot be written, senders are told to come again: ${nameOf(cause)}`)
      const error = new OverloadedError('disk', 'the spool cannot be written', RETRY_DISK_MS, { cause })
      for (const part of group.parts) part.reject(error)
    } finally {
      this.#staging--
      for (const part of group.parts) part.hold.release()
      this.#pump()
    }
  }

  /**
   * A chunk is written without a sync where the store takes it at once: nothing of it is answered before, so its senders have
   * it still. One that has to wait for the store is synced, for they may give up meanwhile.
   */
  async #sync(staged: Staged): Promise<void> {
    staged.isSynced = true
    await staged.entry.sync().catch((error: unknown) => {
      this.#options.note(`a chunk in the spool cannot be synced: ${nameOf(error)}`)
    })
  }

  async #insert(staged: Staged): Promise<void> {
    const { sender } = staged.entry.note.origin
    this.#inserting++
    const started = this.#options.now()
    const ended = () => {
      if (staged.turn) this.#turn.end(staged.turn, this.#options.now(), this.#options.now() - started)
      staged.turn = undefined
    }
    try {
      const outcomes = await this.#committer.finish(staged.entry)
      this.#spooledBytes -= staged.bytes
      for (const [index, part] of staged.parts.entries())
        part.resolve(outcomes[index] ?? { accepted: 0, rejected: 0, together: 1 })
      ended()
      if (this.#isStalled) this.#options.note('the store takes telemetry again')
      this.#isStalled = false
    } catch (error) {
      if (!this.#isStalled)
        this.#options.note(`the store does not take telemetry, it waits in the spool: ${nameOf(error)}`)
      this.#isStalled = true
      const waitMs = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** staged.attempts)
      staged.notBeforeMs = this.#options.now() + waitMs
      ended()
      if (!staged.isSynced) await this.#sync(staged)
      staged.attempts++
      this.#staged.add(sender, staged, true)
    } finally {
      this.#inserting--
      this.#pump()
    }
  }
}

function tokenOf({ about, parts }: Group): string {
  const scope = JSON.stringify([about.source, about.origin.cluster, about.origin.sender, parts.map(({ id }) => id)])
  return createHash('sha256').update(scope).digest('hex')
}

/** An error's name, without its text: the engine quotes what it could not read, and that may be anything. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const engine = /\(([A-Z_]{4,})\)/.exec(error.message)?.[1]
  const own = 'type' in error ? error.type : 'code' in error ? error.code : undefined
  return String(own ?? engine ?? error.name)
}
