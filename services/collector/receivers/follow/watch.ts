import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { glob } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { gunzipSync, constants as zlib, zstdDecompressSync } from 'node:zlib'
import { BEGINNING_BYTES } from '../../input/input.ts'

/** Files that one follower watches at most: each costs a `stat` every half second. */
export const FILES_MAX = 20_000

/** Rotated files that are looked at beside one followed path, the newest. */
const ROTATED_MAX = 1000

/** Packed bytes that are unpacked to see how a file begins; a bomb unpacks to some sixteen megabytes of it. */
const PACKED_HEAD_BYTES = 16_384

/**
 * Paths that the patterns name now, in order. A pattern without wildcards names a file that may not be there yet, and so
 * does one that is a file's very name.
 */
export async function expand(patterns: string[]): Promise<string[]> {
  const paths = new Set<string>()
  for (const pattern of patterns) {
    if (!/[*?[\]{}]/.test(pattern) || lstatSync(pattern, { throwIfNoEntry: false })) paths.add(pattern)
    else
      for await (const path of glob(pattern)) {
        if (paths.size >= FILES_MAX) break
        paths.add(path)
      }
  }
  return [...paths].sort()
}

/** What lies at a path, symbolic links followed; undefined where there is nothing to read, or a part of the way is gone. */
export function statFile(path: string): Stats | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found?.isFile() ? found : undefined
  } catch (error) {
    // A loop of links, a directory that is closed to us or gone: there is no file to read now, and there may be one later.
    if (error instanceof Error && 'code' in error) return undefined
    throw error
  }
}

export const idOf = ({ dev, ino }: Stats) => `${dev}:${ino}`

/** A file beside a followed one whose name says that it was rotated away from it. */
export interface Rotated {
  path: string
  id: string
  mtimeMs: number
}

/** Names in a directory, sorted; empty when it cannot be read. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return []
    throw error
  }
}

/**
 * What was rotated away from `path`, oldest first: `a.log.1`, `a.log-20260101.gz`, `a-20260101.log`.
 * @param names the sorted names in a directory: thousands of files lie in one, which is then listed once
 */
export function rotatedFrom(path: string, names: (directory: string) => string[]): Rotated[] {
  // A container's log is a link to a file, and the rotated ones lie beside that.
  const real = statFile(path) ? realpathSync(path) : path
  const base = basename(real)
  const stem = base.slice(0, base.length - extname(base).length)
  const listed = names(dirname(real))
  const found: string[] = []
  for (let at = firstFrom(listed, stem); listed[at]?.startsWith(stem); at++) found.push(listed[at] ?? '')
  return found
    .filter((name) => isRotated(base, name))
    .flatMap((name) => {
      const found = statFile(join(dirname(real), name))
      return found ? [{ path: join(dirname(real), name), id: idOf(found), mtimeMs: found.mtimeMs }] : []
    })
    .sort((a, b) => a.mtimeMs - b.mtimeMs || (a.path < b.path ? 1 : -1))
    .slice(-ROTATED_MAX)
}

/** Where the first name lies that is not before `start`. */
function firstFrom(sorted: string[], start: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') < start) low = middle + 1
    else high = middle
  }
  return low
}

/** True when logrotate, a container runtime or a logging library could have made `name` of `base`. */
export function isRotated(base: string, name: string): boolean {
  const bare = name.replace(/\.(gz|zst)$/, '')
  const when = /^[.-](\d[\dT:._-]*|old)$/
  if (bare.startsWith(base) && (when.test(bare.slice(base.length)) || (bare === base && bare !== name))) return true
  const extension = extname(base)
  const stem = base.slice(0, base.length - extension.length)
  return (
    extension !== '' &&
    bare.startsWith(stem) &&
    bare.endsWith(extension) &&
    bare.length > base.length &&
    when.test(bare.slice(stem.length, bare.length - extension.length))
  )
}

/** How a file begins: the first bytes, unpacked. @throws what `open` and `read` throw */
export function beginningOf(path: string): Buffer {
  const file = openSync(path, 'r')
  try {
    return readBeginning(file)
  } finally {
    closeSync(file)
  }
}

/**
 * Unpacked size of a gzip file, modulo 2^32, as its last four bytes have it (RFC 1952); undefined for what is none. Of a
 * file of several members it is the last one's.
 */
export function gzipSize(path: string): number | undefined {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    if (size < 18 || packedBy(readAt(file, Buffer.alloc(4), 0)) !== 'gzip') return undefined
    return readAt(file, Buffer.alloc(4), size - 4).readUInt32LE()
  } finally {
    closeSync(file)
  }
}

export function readBeginning(file: number): Buffer {
  const bytes = readAt(file, Buffer.allocUnsafe(BEGINNING_BYTES), 0)
  const packed = packedBy(bytes)
  return packed === '' ? bytes : unpackHead(bytes.subarray(0, PACKED_HEAD_BYTES), packed)
}

/** What a file is packed by, as its first bytes say: its name may say anything. */
export function packedBy(head: Buffer): 'gzip' | 'zstd' | '' {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : ''
}

function unpackHead(bytes: Buffer, packed: 'gzip' | 'zstd'): Buffer {
  try {
    const unpacked =
      packed === 'gzip'
        ? gunzipSync(bytes, { finishFlush: zlib.Z_SYNC_FLUSH })
        : zstdDecompressSync(bytes, { finishFlush: zlib.ZSTD_e_flush })
    return unpacked.subarray(0, BEGINNING_BYTES)
  } catch {
    // Damaged, or not yet written: whoever reads it whole says so.
    return Buffer.alloc(0)
  }
}

/** Fills `into` from `position` on, as far as the file goes. @returns the part that was filled */
export function readAt(file: number, into: Buffer, position: number): Buffer {
  let read = 0
  while (read < into.length) {
    const count = readSync(file, into, read, into.length - read, position + read)
    if (count === 0) break
    read += count
  }
  return into.subarray(0, read)
}
