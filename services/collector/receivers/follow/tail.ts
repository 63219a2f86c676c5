import { closeSync, fstatSync, openSync } from 'node:fs'
import { BEGINNING_BYTES } from '../../input/input.ts'
import type { Content, Contents } from './contents.ts'
import { idOf, packedBy, readAt, readBeginning } from './watch.ts'

/** So much of a file's beginning is compared before each read: a file that was truncated and written anew has another. */
const HEAD_BYTES = 1024

/** A line that is longer is cut here, and becomes rejects; the engine takes lines of a quarter of it. */
export const LINE_BYTES_MAX = 1 << 20

/** One file as long as it is followed: an inode, which keeps its identity when it is renamed or removed. */
export interface Tail {
  id: string
  path: string
  /** Open while it is worked on; the least recently read are closed where there are many. */
  file?: number | undefined
  head: Buffer
  /** Undefined while it is empty. */
  content?: Content | undefined
  /** When it took its content, as a number in order: of two files with one content, who had it first. */
  claimed: number
  size: number
  mtimeMs: number
  /** Size up to which the last look found no whole line. */
  looked: number
  readMs: number
  grownMs: number
  /** No path leads to it any more: it is read to its end, and closed when it stays quiet. */
  detached: boolean
}

export function newTail(id: string, path: string, nowMs: number): Tail {
  const empty = { head: Buffer.alloc(0), claimed: 0, size: 0, mtimeMs: 0, looked: 0, readMs: 0 }
  return { id, path, ...empty, grownMs: nowMs, detached: false }
}

/** Opens a tail's file by its path. @returns false when something else lies there now, or nothing */
export function openTail(tail: Tail): boolean {
  if (tail.file !== undefined) return true
  try {
    const file = openSync(tail.path, 'r')
    if (idOf(fstatSync(file)) === tail.id) {
      tail.file = file
      return true
    }
    closeSync(file)
  } catch (error) {
    // Too many open files are for the caller to mend; a file that is gone or closed to us is simply not there.
    if (!(error instanceof Error && 'code' in error) || error.code === 'EMFILE' || error.code === 'ENFILE') throw error
  }
  return false
}

export function closeTail(tail: Tail): void {
  if (tail.file !== undefined) closeSync(tail.file)
  tail.file = undefined
}

/**
 * Brings an open tail's content up to date with its file: another one when it was truncated or written anew, and asked for
 * again while the file is too short to tell which it is.
 * @returns `packed` when it is not to be read so, `anew` when what it held before is gone from it
 */
export function settle(tail: Tail, contents: Contents, nowMs: number): 'packed' | 'anew' | 'same' {
  const file = tail.file ?? -1
  const { size, mtimeMs } = fstatSync(file)
  const head = readAt(file, Buffer.allocUnsafe(Math.min(HEAD_BYTES, size)), 0)
  const anew = size < tail.size || !head.subarray(0, tail.head.length).equals(tail.head)
  if (size !== tail.size) tail.grownMs = nowMs
  const short = tail.content !== undefined && tail.content.end > tail.size
  if (tail.content && (anew || (short && size > tail.size))) {
    contents.release(tail.content)
    tail.content = undefined
  }
  if (anew) tail.looked = 0
  Object.assign(tail, { size, mtimeMs, head })
  if (packedBy(head) !== '') return 'packed'
  if (size === 0) return anew ? 'anew' : 'same'
  if (!tail.content) {
    tail.content = contents.claim(readBeginning(file))
    tail.claimed = ++claims
  } else if (!tail.content.hash && tail.content.end < BEGINNING_BYTES) contents.prime(tail.content, readBeginning(file))
  return anew ? 'anew' : 'same'
}

let claims = 0

/**
 * True when a file may be a copy of another that had the content first: its last bytes are there at the same place. A copy
 * is never longer than what it was copied from, unless nobody writes to that any more.
 */
export function isCopyOf(tail: Tail, older: Tail): boolean {
  if (tail.file === undefined || older.file === undefined) return false
  if (tail.size > older.size && !older.detached) return false
  const end = Math.min(tail.size, older.size)
  const start = Math.max(0, end - BEGINNING_BYTES)
  const [a, b] = [tail.file, older.file].map((file) => readAt(file, Buffer.allocUnsafe(end - start), start))
  return a !== undefined && b?.equals(a) === true
}

/**
 * Reads what is new and ends with a line into `into`. A line without its end is waited for, unless it is too long, or
 * `final` says that nobody will finish it: then it is given an end.
 * @returns the part of `into` that was filled, and how many bytes of the file that are
 */
export function readTail(tail: Tail, into: Buffer, final: boolean): { bytes: Buffer; length: number } {
  const none = { bytes: into.subarray(0, 0), length: 0 }
  const { content, file } = tail
  if (!content || file === undefined || content.end >= tail.size) return none
  // One byte is kept free for the end of a line that has none.
  const bytes = readAt(file, into.subarray(0, Math.min(into.length - 1, tail.size - content.end)), content.end)
  const whole = bytes.lastIndexOf(0x0a) + 1
  if (whole > 0) return { bytes: bytes.subarray(0, whole), length: whole }
  if (bytes.length === 0 || !(final || bytes.length >= LINE_BYTES_MAX)) return none
  into[bytes.length] = 0x0a
  return { bytes: into.subarray(0, bytes.length + 1), length: bytes.length }
}
