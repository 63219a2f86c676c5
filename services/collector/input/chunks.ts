import { frameEnds } from './protobuf.ts'

/** The size of a chunk unless `chunkBytesFor` says otherwise: large enough that the fixed cost of an insert disappears, small enough for two in memory. */
export const CHUNK_BYTES = 128 << 20

/** Below this a chunk's fixed cost, a tenth of a second, weighs more than a second lane saves. */
const SHARED_BYTES_MIN = 16 << 20
/** Room for the line that a chunk ends before, so that a file cut in equal parts leaves no crumb behind the last. */
const LINE_BYTES = 256 << 10

/**
 * The size of chunks that keeps `lanes` inserts busy to the end of a file of so many bytes: each lane gets as many, near
 * `CHUNK_BYTES` (at most half as large again). A file of unknown size, 0, gets `CHUNK_BYTES`.
 */
export function chunkBytesFor(fileBytes: number, lanes: number): number {
  if (fileBytes === 0) return CHUNK_BYTES
  const rounds = Math.max(1, Math.round(fileBytes / lanes / CHUNK_BYTES))
  return Math.max(SHARED_BYTES_MIN, Math.ceil(fileBytes / lanes / rounds) + LINE_BYTES)
}

export interface Chunk {
  /** Valid until the next chunk is asked for: the memory is used again, since fresh pages cost more than the copy. */
  bytes: Buffer
  /** Position behind the chunk, in unpacked bytes of the input. */
  end: number
  /** True when it does not end where a line or message does. */
  torn: boolean
}

/** Finds where a chunk can end: behind the last whole line or message, or nowhere (0). */
export type Cut = (bytes: Buffer) => number

export const cutLines: Cut = (bytes) => bytes.lastIndexOf(0x0a) + 1
/** Documents begin with a `{` at the beginning of a line; where one ends is known when the next begins. */
export const cutDocuments: Cut = (bytes) => bytes.lastIndexOf('\n{') + 1
export const cutMessages: Cut = (bytes) => frameEnds(bytes).at(-1) ?? 0

/**
 * Gathers bytes into chunks that end between lines or messages; skips the first `skip` bytes. What is left behind the last
 * end is a chunk of its own: a line without its newline is a line, or the beginning of one that is still being written.
 */
export async function* chunks(
  bytes: AsyncIterable<Buffer>,
  cut: Cut,
  skip: number,
  sizeMax = CHUNK_BYTES,
): AsyncGenerator<Chunk> {
  let position = 0
  const buffer = Buffer.allocUnsafe(sizeMax)
  let used = 0
  for await (const part of bytes) {
    let rest = part
    if (position + used < skip && used === 0) {
      const skipped = Math.min(rest.length, skip - position)
      position += skipped
      rest = rest.subarray(skipped)
    }
    while (rest.length > 0) {
      const taken = rest.copy(buffer, used)
      used += taken
      rest = rest.subarray(taken)
      if (used < sizeMax) continue
      const end = cut(buffer)
      const whole = end === 0 ? used : end
      position += whole
      yield { bytes: buffer.subarray(0, whole), end: position, torn: end === 0 }
      buffer.copyWithin(0, whole, used)
      used -= whole
    }
  }
  const whole = cut(buffer.subarray(0, used))
  if (whole > 0) yield { bytes: buffer.subarray(0, whole), end: position + whole, torn: false }
  if (whole < used) yield { bytes: buffer.subarray(whole, used), end: position + used, torn: true }
}

/** Lines that are not empty, as the engine counts them: a carriage return alone is an empty line. */
export function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, at)
    const end = newline === -1 ? bytes.length : newline
    if (end > at + 1 || (end === at + 1 && bytes[at] !== 0x0d)) lines++
    at = end + 1
  }
  return lines
}
