import { UndecodableError } from './undecodable.ts'

/**
 * LZ4 frames, as Kafka's clients write them (lz4_Frame_format.md 1.6, lz4_Block_format.md). Node has no LZ4, and whoever
 * produces to a topic chooses the codec. Checksums are not verified: the broker keeps its own over the whole batch.
 */

const FRAME_MAGIC = 0x184d2204
const HAS_BLOCK_CHECKSUM = 0x10
const HAS_CONTENT_SIZE = 0x08
const HAS_DICTIONARY = 0x01
const STORED = 0x80000000
const COPY_BYTES_MIN = 4
const FIRST_BYTES = 1 << 16

/** The bytes that were inflated so far; grows up to its bound. */
interface Output {
  bytes: Buffer
  used: number
  bytesMax: number
}

/**
 * Inflates one frame.
 * @throws UndecodableError `malformed_batch`, or `batch_too_large` beyond `bytesMax`
 */
export function inflateLz4(frame: Buffer, bytesMax: number): Buffer {
  if (frame.length < 7 || frame.readUInt32LE(0) !== FRAME_MAGIC) throw broken()
  const flags = frame.readUInt8(4)
  if (flags >> 6 !== 1 || (flags & HAS_DICTIONARY) !== 0) throw broken()
  let at = 7 + ((flags & HAS_CONTENT_SIZE) === 0 ? 0 : 8)
  const output: Output = { bytes: Buffer.allocUnsafe(Math.min(FIRST_BYTES, bytesMax)), used: 0, bytesMax }
  for (;;) {
    if (at + 4 > frame.length) throw broken()
    const word = frame.readUInt32LE(at)
    if (word === 0) return output.bytes.subarray(0, output.used)
    const size = word & ~STORED
    const block = frame.subarray(at + 4, at + 4 + size)
    if (block.length !== size) throw broken()
    if ((word & STORED) === 0) inflateBlock(block, output)
    else append(output, block)
    at += 4 + size + ((flags & HAS_BLOCK_CHECKSUM) === 0 ? 0 : 4)
  }
}

/** A block is literals and copies in turn; copies may reach into the blocks before it. */
function inflateBlock(block: Buffer, output: Output): void {
  let at = 0
  /** A length of four bits; 15 means that bytes follow, up to one that is not 255. */
  const length = (bits: number) => {
    let total = bits
    for (let byte = bits === 15 ? 255 : 0; byte === 255; total += byte) {
      byte = block[at++] ?? Number.NaN
      if (Number.isNaN(byte)) throw broken()
    }
    return total
  }
  while (at < block.length) {
    const token = block[at++] ?? 0
    const literals = length(token >> 4)
    if (at + literals > block.length) throw broken()
    append(output, block.subarray(at, at + literals))
    at += literals
    if (at === block.length) return
    if (at + 2 > block.length) throw broken()
    const offset = block.readUInt16LE(at)
    at += 2
    copyBack(output, offset, length(token & 15) + COPY_BYTES_MIN)
  }
}

function append(output: Output, bytes: Buffer): void {
  reserve(output, bytes.length)
  bytes.copy(output.bytes, output.used)
  output.used += bytes.length
}

/** A copy may reach into what it writes itself: that is how runs are written. */
function copyBack(output: Output, offset: number, length: number): void {
  if (offset === 0 || offset > output.used) throw broken()
  reserve(output, length)
  const { bytes, used } = output
  if (offset >= length) bytes.copyWithin(used, used - offset, used - offset + length)
  else for (let index = used; index < used + length; index++) bytes[index] = bytes[index - offset] ?? 0
  output.used += length
}

function reserve(output: Output, more: number): void {
  const needed = output.used + more
  if (needed > output.bytesMax) throw new UndecodableError('batch_too_large')
  if (needed <= output.bytes.length) return
  const grown = Buffer.allocUnsafe(Math.min(output.bytesMax, Math.max(needed, output.bytes.length * 2)))
  output.bytes.copy(grown, 0, 0, output.used)
  output.bytes = grown
}

const broken = () => new UndecodableError('malformed_batch')
