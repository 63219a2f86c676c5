/** Full chunks that are in the spool before a lane is free, by lane: they free memory, and are inserted in a second or two. */
const AHEAD_PER_LANE = 2
/**
 * From this size on one chunk that could grow is in the spool before a lane is free, too: else the lane does nothing while it is
 * written, a sixth of the time when all senders wait for answers.
 */
const AHEAD_BYTES = 48 << 20
/** From this size on a chunk is inserted beside another of its kind: a smaller one would mostly cost its statement. */
const BESIDE_BYTES = 32 << 20
/**
 * What has not grown large waits, after an insert of its kind, for this part of the time that the insert took: a statement
 * costs the same for ten lines as for thousands, and a trickle would else keep a processor busy with statements.
 */
const REST = 0.5

/** A chunk as far as it matters when it goes. */
export interface Candidate {
  /** What has the same key becomes one chunk. */
  key: string
  sender: string
  bytes: number
  /** When its first request came. */
  sinceMs: number
  /** True when it takes nothing more. */
  isClosed: boolean
}

/** Says when a chunk goes to the store, by what is on its way there. Pure: the time is given. */
export interface Turn {
  /**
   * A chunk is due when it has waited, and a lane is free for it or nothing else of its sender is on its way: else one sender's
   * backlog would hold up the others. While another of its kind is on its way it grows, until it is worth a statement of
   * its own; one that takes nothing more goes to the spool sooner, for memory is dearer, and so does the next one that is large,
   * for the lane that will be free.
   */
  isDue(chunk: Candidate, nowMs: number): boolean
  /** A chunk goes. */
  begin(chunk: Pick<Candidate, 'key' | 'sender'>): void
  /** The store took it, or refused it. @param tookMs how long its insert took */
  end(chunk: Pick<Candidate, 'key' | 'sender'>, nowMs: number, tookMs: number): void
}

export function createTurn(lanes: number, gatherMs: number): Turn {
  const senders = new Map<string, number>()
  const alike = new Map<string, number>()
  const restsUntilMs = new Map<string, number>()
  let all = 0
  const count = (counts: Map<string, number>, of: string, change: 1 | -1) => {
    const next = (counts.get(of) ?? 0) + change
    if (next > 0) counts.set(of, next)
    else counts.delete(of)
  }
  return {
    isDue: ({ key, sender, bytes, sinceMs, isClosed }, nowMs) => {
      if (all >= lanes && senders.has(sender))
        return isClosed ? all < lanes * (1 + AHEAD_PER_LANE) : all === lanes && bytes >= AHEAD_BYTES
      if (isClosed) return true
      if (nowMs - sinceMs < gatherMs) return false
      return bytes >= BESIDE_BYTES || (!alike.has(key) && nowMs >= (restsUntilMs.get(key) ?? 0))
    },
    begin: ({ key, sender }) => {
      all++
      count(senders, sender, 1)
      count(alike, key, 1)
      restsUntilMs.delete(key)
    },
    end: ({ key, sender }, nowMs, tookMs) => {
      all--
      count(senders, sender, -1)
      count(alike, key, -1)
      restsUntilMs.set(key, nowMs + tookMs * REST)
    },
  }
}
