import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { inflateSnappy } from '../snappy.ts'
import { inflateLz4 } from './lz4.ts'
import { UndecodableError } from './undecodable.ts'

/** The records of one batch inflate to at most this: a megabyte on the wire may say that it is a thousand. */
export const INFLATED_BYTES_MAX = 64 << 20

type Inflate = (bytes: Buffer, bytesMax: number) => Buffer | Promise<Buffer>

const inflateGzip = promisify(gunzip)
const inflateZstd = promisify(zstdDecompress)

/** By the number of the codec in a batch's attributes. */
const CODECS: Record<number, Inflate> = {
  0: (bytes) => bytes,
  1: (bytes, maxOutputLength) =>
    inflateGzip(bytes, { maxOutputLength, chunkSize: gzipChunkSize(bytes, maxOutputLength) }),
  2: inflateFramedSnappy,
  3: inflateLz4,
  4: (bytes, maxOutputLength) => inflateZstd(bytes, { maxOutputLength, chunkSize: CHUNK_BYTES_MIN }),
}

/** zlib hands over its output in pieces of so many bytes, each with a turn of the event loop: 16 KiB are too few. */
const CHUNK_BYTES_MIN = 64 << 10
/** Deflate's best: what claims to be more is a lie, and gets no memory for it. (RFC 1951; zlib's technical details) */
const DEFLATE_RATIO_MAX = 1032
/** With no room left, zlib would ask for another piece to see that there is nothing more. */
const ROOM_BYTES = 64

/** Room for the whole output, which the last four bytes of gzip tell (RFC 1952). A larger one comes in several pieces. */
function gzipChunkSize(bytes: Buffer, bytesMax: number): number {
  const claimed = bytes.length < 4 ? 0 : bytes.readUInt32LE(bytes.length - 4)
  return Math.max(CHUNK_BYTES_MIN, Math.min(claimed, bytes.length * DEFLATE_RATIO_MAX, bytesMax) + ROOM_BYTES)
}

/**
 * Inflates the records of a batch.
 * @throws UndecodableError `unknown_codec`, `malformed_batch`, `batch_too_large`
 */
export async function inflate(codec: number, bytes: Buffer, bytesMax = INFLATED_BYTES_MAX): Promise<Buffer> {
  const inflateIt = CODECS[codec]
  if (!inflateIt) throw new UndecodableError('unknown_codec')
  try {
    return await inflateIt(bytes, bytesMax)
  } catch (cause) {
    if (cause instanceof UndecodableError) throw cause
    throw new UndecodableError(isTooLarge(cause) ? 'batch_too_large' : 'malformed_batch', { cause })
  }
}

const isTooLarge = (cause: unknown) =>
  cause instanceof Error && 'code' in cause && ['ERR_BUFFER_TOO_LARGE', 'too_large'].includes(String(cause.code))

/** Java's clients write blocks of 32 KiB behind a header of their own (snappy-java, SnappyOutputStream); others one bare block. */
const FRAMED = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const FRAME_HEAD_BYTES = 16

function inflateFramedSnappy(bytes: Buffer, bytesMax: number): Buffer {
  if (!bytes.subarray(0, FRAMED.length).equals(FRAMED)) return inflateSnappy(bytes, bytesMax)
  const blocks: Buffer[] = []
  let left = bytesMax
  for (let at = FRAME_HEAD_BYTES; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at)
    const block = bytes.subarray(at + 4, at + 4 + size)
    if (block.length !== size) throw new UndecodableError('malformed_batch')
    const inflated = inflateSnappy(block, left)
    blocks.push(inflated)
    left -= inflated.length
    at += 4 + size
  }
  return Buffer.concat(blocks)
}
