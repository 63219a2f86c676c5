import { readFile } from 'node:fs/promises'
import { type Counts, plus } from '../../store/queries/batches.ts'
import type { Spool, SpoolEntry } from '../../store/spool.ts'
import type { Note } from '../commit.ts'
import type { Outcome, Part } from './parts.ts'

/** A chunk of requests that became others, each with a token and a batch of its own. */
export interface Division {
  /** Of the chunk, in its order. */
  parts: Part[]
  /** Chunks that are not inserted yet. */
  left: SpoolEntry<Note>[]
  /** What became of the requests, by their ids. */
  outcomes: Map<string, Outcome>
  counts: Counts
}

/** What a chunk came to, and each of its parts. */
export interface Inserted extends Counts {
  outcomes: Outcome[]
}

/** Requests of a chunk that become one of their own. */
export interface Share {
  parts: Part[]
  token: string
}

/**
 * Divides a chunk once and for all: its shares are in the spool as chunks of their own before the first of them goes to the
 * store, and the chunk is not there any more. Were it divided again after an answer was lost, other bounds would make other
 * tokens, and the store would take the same requests for new ones.
 * @param outcomes of those requests that are in no share
 */
export async function divide(
  spool: Spool<Note>,
  entry: SpoolEntry<Note>,
  shares: Share[],
  outcomes = new Map<string, Outcome>(),
): Promise<Division> {
  const { parts = [], ...note } = entry.note
  const bytes = await bytesOf(entry)
  const left: SpoolEntry<Note>[] = []
  try {
    for (const share of shares) {
      const lines = note.lines === 0 ? 0 : share.parts.reduce((sum, { records }) => sum + (records ?? 1), 0)
      const pieces = share.parts.map(({ id }) => bytes.get(id) ?? Buffer.alloc(0))
      left.push(await spool.put(pieces, { ...note, ...share, lines, of: note.token }, true))
    }
  } catch (error) {
    for (const piece of left) await piece.done()
    throw error
  }
  await entry.done()
  return { parts, left, outcomes, counts: { accepted: 0, rejected: 0 } }
}

/** The bytes of each request in a chunk, by its id. */
async function bytesOf({ path, note: { parts = [] } }: SpoolEntry<Note>): Promise<Map<string, Buffer>> {
  const bytes = await readFile(path)
  let at = 0
  return new Map(
    parts.map((part) => {
      at += part.bytes
      return [part.id, bytes.subarray(at - part.bytes, at)]
    }),
  )
}

/** Inserts what is left. Rejects where one chunk fails: that one and those behind it are left, and this may be called again. */
export async function insertDivision(
  division: Division,
  insert: (piece: SpoolEntry<Note>) => Promise<Inserted>,
): Promise<Inserted> {
  const { parts, left, outcomes } = division
  for (let piece = left[0]; piece; piece = left[0]) {
    const inserted = await insert(piece)
    for (const [index, { id }] of (piece.note.parts ?? []).entries()) {
      const outcome = inserted.outcomes[index]
      if (outcome) outcomes.set(id, outcome)
    }
    division.counts = plus(division.counts, inserted)
    left.shift()
  }
  const none = { accepted: 0, rejected: 0, together: 1 }
  return { ...division.counts, outcomes: parts.map(({ id }) => outcomes.get(id) ?? none) }
}
