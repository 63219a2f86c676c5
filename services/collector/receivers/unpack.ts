import { pipeline, type Transform } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGunzip, createZstdDecompress, gunzip } from 'node:zlib'
import { CinchError } from '../../model/errors.ts'
import type { Hold } from '../gather/budget.ts'

/** A zstd frame may ask for a window of memory; 8 MiB is what every decoder must give (RFC 8878, section 3.1.1.1.2). */
const ZSTD_WINDOW_LOG_MAX = 23
/** Each piece is a trip to the pool of threads; smaller ones cost more than the unpacking. */
const PIECE_BYTES = 256 << 10
/** A gzip has a head of 10 bytes, an end of 8, and something between (RFC 1952). */
const GZIP_BYTES_MIN = 19
/** Deflate makes at most so many bytes of one (zlib's own technical details): a gzip that claims more lies. */
const DEFLATE_RATIO_MAX = 1032

const UNPACKERS: Record<string, () => Transform> = {
  gzip: () => createGunzip({ chunkSize: PIECE_BYTES }),
  'x-gzip': () => createGunzip({ chunkSize: PIECE_BYTES }),
  zstd: () =>
    createZstdDecompress({
      chunkSize: PIECE_BYTES,
      params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
    }),
}

/** Encodings of a body that are understood, as `Accept-Encoding` tells them. */
export const ENCODINGS = 'gzip, zstd, identity'
export const isPacked = (name: string) => Object.hasOwn(UNPACKERS, name)
export const isEncoding = (name: string) => name === '' || name === 'identity' || isPacked(name)

/** How bytes are packed that begin like this: `gzip`, `zstd` or `identity`. */
export function packingOf(parts: Buffer[]): string {
  const beginning = Buffer.concat(parts.slice(0, 4).map((part) => part.subarray(0, 4)))
  if (beginning[0] === 0x1f && beginning[1] === 0x8b) return 'gzip'
  return beginning.length >= 4 && beginning.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'identity'
}

const gunzipWhole = promisify(gunzip)

/**
 * Unpacks a gzip in one go, off the thread of events and into memory of just its size, which its last four bytes tell: three
 * times as fast as piece by piece. That number is its sender's word, so it only bounds what is tried.
 * @returns undefined where this is no way: `unpackAlong` takes it then, and says what is wrong with it
 */
export async function unpackWhole(
  packing: string,
  packed: Buffer,
  hold: Hold,
  bytesMax: number,
): Promise<Buffer | undefined> {
  if (!packing.endsWith('gzip') || packed.length < GZIP_BYTES_MIN) return undefined
  const size = packed.readUInt32LE(packed.length - 4)
  if (size === 0 || size > Math.min(bytesMax, packed.length * DEFLATE_RATIO_MAX)) return undefined
  hold.grow(size)
  try {
    // One byte more than there are: where the output is full, it is asked once more whether anything comes.
    const chunkSize = Math.max(constants.Z_MIN_CHUNK, size + 1)
    const bytes = await gunzipWhole(packed, { chunkSize, maxOutputLength: size })
    hold.shrink(packed.length + size - bytes.length)
    return bytes
  } catch {
    // Damaged, or several gzips after one another.
    hold.shrink(size)
    return undefined
  }
}

/**
 * Unpacks piece by piece.
 * @throws whatever `packed` does, and Error where it is damaged
 */
export async function* unpackAlong(packing: string, packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const unpacker = UNPACKERS[packing]?.()
  if (!unpacker) throw new Error(`no encoding '${packing}'`)
  let failure: unknown
  const bytes: AsyncIterable<Buffer> = pipeline(packed, unpacker, (error) => {
    failure = error
  })
  try {
    yield* bytes
  } catch (error) {
    // What the source of the bytes said is told before what came of it.
    throw failure instanceof CinchError ? failure : error
  }
}
