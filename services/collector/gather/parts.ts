import type { Counts } from '../../store/queries/batches.ts'

/** One request within a chunk, as the chunk's note tells it. */
export interface Part {
  /** The request's identity (`requests.ts`). */
  id: string
  /** Its bytes in the chunk, the newline behind it included. */
  bytes: number
  /** Lines, spans or log records in it; undefined where only the engine can tell, and then it is alone in its chunk. */
  records?: number | undefined
}

/** What became of a request. */
export interface Outcome extends Counts {
  /** How many requests were counted together: where more than one, the counts are their sender's, dealt out by size. */
  together: number
  /** True when the bytes are no valid request, and nothing of them was stored. */
  malformed?: boolean
  /** True when it was in the store already. */
  repeated?: boolean
}

const NEWLINE = Buffer.from('\n')

/** The requests' bytes after one another, lines apart, without copying them; and how many bytes each takes. */
export function joined(requests: Uint8Array[], lines: boolean): { bytes: Uint8Array[]; lengths: number[] } {
  const bytes: Uint8Array[] = []
  const lengths = requests.map((request) => {
    bytes.push(request)
    if (!lines || request.at(-1) === 0x0a) return request.length
    bytes.push(NEWLINE)
    return request.length + 1
  })
  return { bytes, lengths }
}

/**
 * What became of each of a chunk's requests, from the counts of the chunk. Where all records were accepted that is plain. Else
 * nobody counted by request: the counts are dealt out by size, so that their sums are right, and `together` says so.
 */
export function outcomesOf(parts: Part[], counts: Counts): Outcome[] {
  const records = parts.map((part) => part.records ?? 1)
  const total = Math.max(
    1,
    records.reduce((sum, count) => sum + count, 0),
  )
  const isPlain = parts.length === 1 || (counts.rejected === 0 && counts.accepted === total)
  let dealt = 0
  return records.map((count, index) => {
    const before = dealt
    dealt = index === records.length - 1 ? total : before + count
    const share = (all: number) =>
      parts.length === 1 ? all : Math.round((all * dealt) / total) - Math.round((all * before) / total)
    return {
      accepted: share(counts.accepted),
      rejected: share(counts.rejected),
      together: isPlain ? 1 : parts.length,
    }
  })
}
