import { recentRequests } from '../../store/queries/requests.ts'
import type { Store } from '../../store/store.ts'
import type { Committer } from '../commit.ts'
import type { Origin } from '../origin.ts'
import type { Source } from '../sources/index.ts'
import type { Framing } from '../statements/statements.ts'
import type { Hold } from './budget.ts'
import { GATHERER_DEFAULTS, GroupCommit } from './group-commit.ts'
import type { Outcome } from './parts.ts'
import type { Signal } from './quota.ts'
import { REMEMBERED_S } from './requests.ts'

/** What a receiver hands over: one request of one sender. */
export interface Submission {
  source: Source
  framing: Framing
  origin: Origin
  receiver: string
  /** Whole lines, or whole messages of the outer framing. */
  bytes: Buffer
  /** Lines, spans or records in it; undefined where only the engine can tell: it then goes alone. */
  records: number | undefined
  /** The memory that it holds; given back by the gatherer. */
  hold: Hold
  /** Set for senders that never repeat, for whom equal bytes are no repetition. */
  salt?: string
}

/** Gathers requests to chunks, so that many small ones cost one insert, and answers each when it is in the store. */
export interface Gatherer {
  /**
   * Resolves when the request is in the store, or was already. Sent again with the same bytes it counts once, also after a
   * crash, while the gatherer remembers it (`REMEMBERED_S`).
   * @throws OverloadedError when it cannot be taken, or is not in the store in time: it may come again, and counts once
   */
  submit(submission: Submission): Promise<Outcome>
  /**
   * Asked before a request is read.
   * @returns what holds its memory while it comes in
   * @throws OverloadedError `quota` when the sender is over its own
   */
  admit(sender: string, signal: Signal): Hold
  state(): GathererState
  /** Takes nothing more, and resolves when what was taken is in the store, or stays in the spool. */
  close(): Promise<void>
}

export interface GathererState {
  /** Memory of requests that are being read or wait to be written to the spool. */
  waitingBytes: number
  /** Chunks in the spool that the store has not taken yet. */
  spooledBytes: number
  spooledChunks: number
  /** True while the store refuses what it is given. */
  isStalled: boolean
}

export interface GathererOptions {
  commitBytes?: number
  gatherMs?: number
  waitingBytesMax?: number
  spoolBytesMax?: number
  answerWithinMs?: number
  quotaBytesPerSecond?: number
  rememberedMax?: number
  /** Told once when the store begins to refuse chunks, and once when it takes them again. */
  note?: (text: string) => void
  now?: () => number
}

/**
 * Opens the gatherer of a store whose spool was recovered: remembers the requests of the last hour, and goes on with chunks
 * that could not be recovered.
 */
export async function createGatherer(
  store: Store,
  committer: Committer,
  options: GathererOptions = {},
): Promise<Gatherer> {
  const given = { ...GATHERER_DEFAULTS, ...options }
  const gatherer = new GroupCommit(committer, store.ingest.length, given)
  const known = await recentRequests(store.jobs, REMEMBERED_S, Math.floor(given.rememberedMax / 2))
  gatherer.resume(known)
  return gatherer
}
