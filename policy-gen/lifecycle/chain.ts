import type { LogEntry, LogHead, LogVerdict, Said } from '../../services/model/lifecycle.ts'
import { sha256 } from './canonical.ts'

/** Of a log without an entry. */
export const EMPTY_HEAD: LogHead = { seq: 0, hash: '0'.repeat(64) }

export interface Saying {
  at: string
  who: string
  why: string
  said: Said
}

/** The entries that continue a log, each bound to the one before. */
export function chained(head: LogHead, sayings: readonly Saying[]): LogEntry[] {
  let { seq, hash } = head
  return sayings.map((saying) => {
    seq += 1
    const entry = { seq, at: saying.at, who: saying.who, why: saying.why, said: saying.said, previous: hash }
    hash = sha256(entry)
    return { ...entry, hash }
  })
}

export function headOf(entries: readonly LogEntry[]): LogHead {
  const { seq, hash } = entries.at(-1) ?? EMPTY_HEAD
  return { seq, hash }
}

/**
 * Finds entries that are missing, doubled, changed or out of order; and with heads that somebody kept, whether the log still
 * holds them. Whoever may write the store can chain a log of his own: only a head that lies elsewhere shows that.
 *
 * @param entries in the order of their numbers
 */
export function verifyLog(entries: readonly LogEntry[], known: readonly LogHead[] = []): LogVerdict {
  const faults: LogVerdict['faults'] = []
  let before = EMPTY_HEAD
  for (const entry of entries) {
    const { hash, ...rest } = entry
    if (entry.seq === before.seq) faults.push({ seq: entry.seq, what: 'is there twice' })
    else if (entry.seq !== before.seq + 1)
      faults.push({ seq: before.seq + 1, what: missing(before.seq + 1, entry.seq - 1) })
    else if (entry.previous !== before.hash)
      faults.push({ seq: entry.seq, what: 'does not continue the entry before it' })
    if (sha256(rest) !== hash) faults.push({ seq: entry.seq, what: 'was changed' })
    before = { seq: entry.seq, hash }
  }
  for (const head of known) faults.push(...cutOff(entries, head))
  return { entries: entries.length, head: headOf(entries), faults }
}

function missing(first: number, last: number): string {
  return first === last ? 'is missing' : `to ${last} are missing`
}

function cutOff(entries: readonly LogEntry[], { seq, hash }: LogHead): LogVerdict['faults'] {
  if (seq === 0) return []
  const found = entries.find((entry) => entry.seq === seq)
  if (!found) return [{ seq, what: 'was the last that is known, and is missing' }]
  return found.hash === hash ? [] : [{ seq, what: 'is not the one that is known' }]
}
