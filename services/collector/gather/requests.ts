import { createHash } from 'node:crypto'
import type { Outcome } from './parts.ts'

/** How long a request is remembered, so that its repetition counts once. Exporters give up after minutes. */
export const REMEMBERED_S = 3600
/** Requests that are remembered at most, some 100 bytes each: half an hour of 280 a second. */
export const REMEMBERED_MAX = 500_000

/**
 * Which requests are on their way and which are in the store. Two generations, so that forgetting costs nothing: the older
 * one goes when the newer one is full or old.
 */
export interface Requests {
  /** What becomes, or became, of this request; undefined when it is new. */
  find(id: string): Promise<Outcome> | undefined
  /** Remembers a request that was begun; forgets it when it fails, for it may then come again. */
  begin(id: string, outcome: Promise<Outcome>): void
  /** Remembers one that an earlier process stored. */
  remember(id: string, outcome: Pick<Outcome, 'accepted' | 'rejected' | 'malformed'>): void
}

export function createRequests(now: () => number, rememberedMax = REMEMBERED_MAX): Requests {
  const begun = new Map<string, Promise<Outcome>>()
  let newer = new Map<string, number>()
  let older = new Map<string, number>()
  let turnedMs = now()
  const remember: Requests['remember'] = (id, outcome) => {
    if (newer.size >= rememberedMax / 2 || now() - turnedMs > (REMEMBERED_S / 2) * 1000) {
      older = newer
      newer = new Map()
      turnedMs = now()
    }
    newer.set(id, packed(outcome))
  }
  return {
    find: (id) => {
      const running = begun.get(id)
      if (running) return running
      const stored = newer.get(id) ?? older.get(id)
      return stored === undefined ? undefined : Promise.resolve({ ...unpacked(stored), repeated: true })
    },
    begin: (id, outcome) => {
      begun.set(id, outcome)
      outcome
        .then(
          (result) => remember(id, result),
          // Whoever waits for it hears why.
          () => undefined,
        )
        .finally(() => begun.delete(id))
    },
    remember,
  }
}

/** Two counts in one number, below zero for what was no request: one has far fewer than 2^26 records. */
const COUNT_MAX = 2 ** 26

function packed({ accepted, rejected, malformed }: Pick<Outcome, 'accepted' | 'rejected' | 'malformed'>): number {
  const counts = Math.min(accepted, COUNT_MAX - 1) * COUNT_MAX + Math.min(rejected, COUNT_MAX - 1)
  return malformed ? -counts - 1 : counts
}

function unpacked(value: number): Outcome {
  const counts = value < 0 ? -value - 1 : value
  const outcome = { accepted: Math.floor(counts / COUNT_MAX), rejected: counts % COUNT_MAX, together: 1 }
  return value < 0 ? { ...outcome, malformed: true } : outcome
}

/**
 * The identity of a request: 16 bytes of the SHA-256 over who sends what, as 32 hexadecimal digits. Of the bytes as they are
 * after unpacking: a sender that was updated between a request and its repetition may pack them otherwise.
 * @param salt what tells requests apart in place of their bytes, where the sender never repeats: equal ones are then two
 */
export function identify(scope: string, bytes: Uint8Array, salt = ''): string {
  const hash = createHash('sha256').update(`${scope}\n${salt}\n`)
  if (salt === '') hash.update(bytes)
  return hash.digest('hex').slice(0, 32)
}
