import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { CinchError } from '../../model/errors.ts'
import type { FilePosition } from '../../store/queries/files.ts'

/** A file's identity is the digest of so many bytes of its beginning, or of all it had when it was first read. */
export const BEGINNING_BYTES = 65_536

/** An opened file, pipe or standard input: unpacked bytes, after a beginning that was looked at already. */
export interface Input {
  name: string
  /** Size in bytes as it lies on disk, 0 for a stream. */
  size: number
  /** Size of the unpacked bytes, 0 where only reading tells it. */
  unpackedSize: number
  beginning: Buffer
  /** Unpacked bytes, the beginning included. */
  bytes: AsyncIterable<Buffer>
  /** Packed bytes that were read so far, for the progress bar. */
  bytesRead(): number
}

/**
 * Opens a file, or standard input for `-`. `.gz` and `.zst` are known by their first bytes, not by their name.
 * @throws CinchError `bad_file` when it cannot be read
 */
export async function openInput(path: string): Promise<Input> {
  const size = path === '-' ? 0 : await fileSize(path)
  return await inputOf(path, path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 }), size)
}

/** An input of bytes that come from anywhere; `size` is 0 where it is not known. */
export async function inputOf(name: string, raw: AsyncIterable<Buffer>, size: number): Promise<Input> {
  let read = 0
  const counted = (async function* () {
    for await (const bytes of raw) {
      read += bytes.length
      yield bytes
    }
  })()
  const packed = await peek(counted, 4)
  const packing = packingOf(packed.head)
  const { head, bytes } = await peek(packing ? unpack(packed, packing, name) : packed.bytes, BEGINNING_BYTES)
  return { name, size, unpackedSize: packing ? 0 : size, beginning: head, bytes, bytesRead: () => read }
}

async function fileSize(path: string): Promise<number> {
  const found = await stat(path).catch((cause) => {
    throw new CinchError(
      'bad_file',
      `cannot read ${path}: ${cause.code ?? cause.message}`,
      'give a file that exists and that you may read, or - for standard input',
      { cause },
    )
  })
  if (found.isDirectory()) throw new CinchError('bad_file', `${path} is a directory`, 'give the files in it')
  return found.size
}

type Packing = 'gzip' | 'zstd'

/** How a file is packed, by its first bytes. */
function packingOf(head: Buffer): Packing | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : undefined
}

function unpack({ bytes }: Peeked, packing: Packing, path: string): AsyncIterable<Buffer> {
  const unpacker =
    packing === 'gzip' ? createGunzip({ chunkSize: 1 << 20 }) : createZstdDecompress({ chunkSize: 1 << 20 })
  return readPacked(bytes, unpacker as unknown as Readable & NodeJS.WritableStream, path)
}

async function* readPacked(
  bytes: AsyncIterable<Buffer>,
  unpacker: Readable & NodeJS.WritableStream,
  path: string,
): AsyncGenerator<Buffer> {
  const { pipeline } = await import('node:stream')
  pipeline(bytes, unpacker, () => {})
  try {
    for await (const part of unpacker) yield part as Buffer
  } catch (cause) {
    // What came before the damage is kept: a file that is still being written ends in the middle.
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new CinchError(
      'bad_file',
      `${path} is damaged or cut: ${message}`,
      'what could be unpacked is stored; give the whole file again and its rest is added',
      { cause },
    )
  }
}

interface Peeked {
  head: Buffer
  bytes: AsyncIterable<Buffer>
}

/** Looks at the first `wanted` bytes (fewer at the end of input) and gives them back with the rest. */
async function peek(bytes: AsyncIterable<Buffer>, wanted: number): Promise<Peeked> {
  const iterator = bytes[Symbol.asyncIterator]()
  const seen: Buffer[] = []
  let length = 0
  let failure: { error: unknown } | undefined
  while (length < wanted) {
    const next = await iterator.next().catch((error: unknown) => {
      failure = { error }
      return { done: true, value: undefined }
    })
    if (next.done || next.value === undefined) break
    seen.push(next.value)
    length += next.value.length
  }
  const all = Buffer.concat(seen)
  return {
    head: all.subarray(0, wanted),
    bytes: (async function* () {
      if (all.length > 0) yield all
      if (failure) throw failure.error
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
    })(),
  }
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/**
 * Where to go on in a file: the furthest position of the file that begins as this one does, whatever its name, or the start.
 * A file that had fewer bytes when it was first read is known by those, and from now on by all that it has: another file
 * with the same few bytes at its beginning goes its own way. The furthest, not that of the longest beginning: a file that
 * was followed has rows of several lengths, and the longest need not be the newest.
 */
export function findPosition(beginning: Buffer, known: FilePosition[]): FilePosition {
  const lengths = [...new Set(known.map((position) => position.beginning))]
    .filter((length) => length <= beginning.length)
    .sort((a, b) => a - b)
  const ends = new Map(known.map((position) => [`${position.beginning} ${position.file}`, position.end]))
  const hash = createHash('sha256')
  let hashed = 0
  let end = 0
  for (const length of lengths) {
    hash.update(beginning.subarray(hashed, length))
    hashed = length
    end = Math.max(end, ends.get(`${length} ${hash.copy().digest('hex')}`) ?? 0)
  }
  return { file: digest(beginning), beginning: beginning.length, end }
}
