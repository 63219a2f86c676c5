import { CinchError } from '../../model/errors.ts'

/**
 * Inflates one block of snappy, as Prometheus' remote write and Kafka's messages carry it (google/snappy, format_description.txt).
 *
 * The package snappyjs reads a literal's length as signed: fourteen bytes of a hostile sender make it go round for ever. So the
 * elements are read here, each checked against both ends; what is inflated is never longer than the block says.
 * @param bytesMax the largest size that a block may say
 * @param reserve told the size before the memory is taken; may throw
 * @throws CinchError `too_large` when the block says that it is larger, `bad_file` when it is no such block
 */
export function inflateSnappy(block: Buffer, bytesMax: number, reserve: (bytes: number) => void = () => {}): Buffer {
  const head = readLength(block)
  if (head.length > bytesMax)
    throw new CinchError('too_large', `the body inflates to ${head.length} bytes`, `send at most ${bytesMax} in one`)
  reserve(head.length)
  const out = Buffer.allocUnsafe(head.length)
  let at = head.end
  let written = 0
  while (at < block.length) {
    const element = readElement(block, at)
    if (written + element.length > out.length) throw broken()
    if (element.offset === 0) block.copy(out, written, element.next - element.length, element.next)
    else copyBack(out, written, element.offset, element.length)
    written += element.length
    at = element.next
  }
  if (written !== out.length) throw broken()
  return out
}

interface Element {
  length: number
  /** How far back a copy begins, in inflated bytes; 0 for a literal, whose bytes end at `next`. */
  offset: number
  next: number
}

function readElement(block: Buffer, at: number): Element {
  const tag = block.readUInt8(at)
  if ((tag & 3) === 0) return readLiteral(block, at, tag >>> 2)
  const size = [0, 1, 2, 4][tag & 3] ?? 0
  const next = at + 1 + size
  if (next > block.length) throw broken()
  const low = block.readUIntLE(at + 1, size)
  const near = (tag & 3) === 1
  const offset = near ? ((tag >>> 5) << 8) | low : low
  if (offset === 0) throw broken()
  return { length: near ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1, offset, next }
}

/** A literal's length is in its tag up to 60, else in the one to four bytes behind it. */
function readLiteral(block: Buffer, at: number, told: number): Element {
  const size = told < 60 ? 0 : told - 59
  const begin = at + 1 + size
  if (begin > block.length) throw broken()
  const length = (size === 0 ? told : block.readUIntLE(at + 1, size)) + 1
  if (begin + length > block.length) throw broken()
  return { length, offset: 0, next: begin + length }
}

/** A copy may reach into what it writes itself: that is how runs are written. */
function copyBack(out: Buffer, to: number, offset: number, length: number): void {
  if (offset > to) throw broken()
  if (offset >= length) {
    out.copy(out, to, to - offset, to - offset + length)
    return
  }
  for (let index = 0; index < length; index++) out[to + index] = out[to + index - offset] ?? 0
}

function readLength(block: Buffer): { length: number; end: number } {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { length, end: index + 1 }
  }
  throw broken()
}

const broken = () => new CinchError('bad_file', 'the body is no block of snappy', 'send it as remote write 1.0 says')
