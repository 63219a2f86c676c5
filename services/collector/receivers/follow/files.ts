import { closeSync, openSync, type Stats } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import type { Contents } from './contents.ts'
import { closeTail, isCopyOf, newTail, openTail, type Tail } from './tail.ts'
import {
  beginningOf,
  expand,
  FILES_MAX,
  idOf,
  namesIn,
  packedBy,
  type Rotated,
  readAt,
  readBeginning,
  rotatedFrom,
  statFile,
} from './watch.ts'

/** Files that are held open at most, the least recently read closed first: an open file outlives its name. */
const OPEN_FILES_MAX = 512

/** Files that are looked at before others of this process get a turn. */
const STATS_AT_ONCE = 256

/** A packed file is loaded when it was the same for so many looks: before, it is being written. */
const PACKED_STILL_LOOKS = 3

/** What one look at the files found. */
export interface Look {
  /** Files that may hold something new, those first that are best known. */
  changed: Tail[]
  packed: { path: string }[]
  /** True while there are packed files that may still be written. */
  packing: boolean
  /** What a person should know. */
  notes: string[]
}

/** Packed files that are remembered, so that each is loaded once. */
const PACKED_MAX = 20_000

interface Packed {
  path: string
  /** The followed path beside which it lies. */
  from: string
  looks: number
}

/** Which files there are: their names, inodes and what became of them. */
export class Files {
  /** By inode. */
  readonly tails = new Map<string, Tail>()
  readonly #patterns: string[]
  readonly #contents: Contents
  readonly #expandEveryMs: number
  readonly #sinceMs: number
  readonly #byPath = new Map<string, string>()
  /** By inode, size and time of change: the file as it was, whatever it was called. */
  readonly #packed = new Map<string, Packed>()
  /** Paths at which something was rotated away since the last look. */
  #turned = new Set<string>()
  #paths: string[] = []
  #expandedMs = -Infinity

  /** @param sinceMs rotated files that were written later are wanted */
  constructor(patterns: string[], contents: Contents, expandEveryMs: number, sinceMs: number) {
    this.#sinceMs = sinceMs
    this.#patterns = patterns
    this.#contents = contents
    this.#expandEveryMs = expandEveryMs
  }

  /** Looks at every path once. @param hurry expands the patterns even if that was done a moment ago */
  async look(nowMs: number, hurry: boolean): Promise<Look> {
    const notes: string[] = []
    if (hurry || nowMs - this.#expandedMs >= this.#expandEveryMs) {
      this.#expandedMs = nowMs
      const found = await expand(this.#patterns)
      if (found.length > FILES_MAX) notes.push(`more than ${FILES_MAX} files match: the others are not followed`)
      this.#paths = found.slice(0, FILES_MAX)
    }
    const changed = new Set<Tail>()
    const fresh: Tail[] = []
    const watched = new Set(this.#paths)
    for (const path of this.#byPath.keys()) if (!watched.has(path)) this.#leave(path)
    for (const [index, path] of this.#paths.entries()) {
      if (index % STATS_AT_ONCE === STATS_AT_ONCE - 1) await breathe()
      const seen = this.#see(path, statFile(path), nowMs, fresh)
      if (seen.tail && hasNew(seen.tail, seen.found)) changed.add(seen.tail)
      if (seen.turned) this.#turned.add(path)
    }
    const turned = this.#turned
    this.#turned = new Set()
    const listed = new Map<string, string[]>()
    const names = (directory: string) => {
      const known = listed.get(directory) ?? namesIn(directory)
      listed.set(directory, known)
      return known
    }
    for (const path of turned) this.#takeRotated(rotatedFrom(path, names), path, watched, nowMs, fresh)
    // An inode that moved to another path was left at one and found at the other, in either order.
    const reached = new Set(this.#byPath.values())
    for (const tail of this.tails.values()) tail.detached = !reached.has(tail.id)
    for (const tail of this.tails.values()) if (tail.detached) changed.add(tail)
    const packed = this.#stillPacked()
    const packing = [...this.#packed.values()].some(({ looks }) => looks < PACKED_STILL_LOOKS)
    return { changed: [...new Set<Tail>([...this.#bestKnownFirst(fresh), ...changed])], packed, packing, notes }
  }

  /** Opens a tail's file, within the bound. */
  open(tail: Tail): boolean {
    const isOpen = tail.file !== undefined
    if (!isOpen) this.#closeOldest(OPEN_FILES_MAX - 1)
    const opened = this.#tryOpen(tail)
    // The order of the map is the order of use.
    if (opened) {
      this.tails.delete(tail.id)
      this.tails.set(tail.id, tail)
    }
    return opened
  }

  #tryOpen(tail: Tail): boolean {
    try {
      return openTail(tail)
    } catch {
      // The process may open no more: half of ours are closed, and it is tried once more.
      this.#closeOldest(OPEN_FILES_MAX / 2)
      return openTail(tail)
    }
  }

  /** A file was truncated where it lies: what it held may be in a copy beside it. */
  truncated(tail: Tail): void {
    if (!tail.detached) this.#turned.add(tail.path)
  }

  /** True when files were rotated since the last look. */
  get turned(): boolean {
    return this.#turned.size > 0
  }

  /** A file that turned out to be packed is no tail. */
  repack(tail: Tail): void {
    this.#drop(tail)
  }

  /** Gives a file a content of its own where it only shares the beginning of one that had the content first. */
  separate(tail: Tail): void {
    const { content } = tail
    if (!content || content.users < 2) return
    const older = [...this.tails.values()].filter(
      (other) => other.content === content && other.claimed < tail.claimed && openTail(other),
    )
    if (older.length === 0 || older.some((other) => isCopyOf(tail, other))) return
    this.#contents.release(content)
    tail.content = this.#contents.fork()
  }

  /** Lets go of files that no path leads to and that were quiet for so long: nobody writes to them any more. */
  closeQuiet(nowMs: number, quietMs: number): string[] {
    const lost: string[] = []
    for (const tail of this.tails.values()) {
      const left = tail.size - (tail.content?.end ?? 0)
      if (!tail.detached) continue
      const gone = tail.file === undefined && !openTail(tail)
      if (gone && left > 0) lost.push(`${tail.path} was removed before it was read: ${left} bytes of it are lost`)
      if (gone || (nowMs - tail.grownMs >= quietMs && left <= 0)) this.#drop(tail)
    }
    return lost
  }

  close(): void {
    for (const tail of this.tails.values()) closeTail(tail)
  }

  #see(path: string, found: Stats | undefined, nowMs: number, fresh: Tail[]) {
    const was = this.#byPath.get(path)
    if (!found) {
      if (was !== undefined) this.#leave(path)
      return { turned: was !== undefined }
    }
    const id = idOf(found)
    if (this.#isPacked(path, path, found)) return { turned: false }
    let tail = this.tails.get(id)
    const turned = was !== id
    if (!tail) {
      tail = newTail(id, path, nowMs)
      this.tails.set(id, tail)
      fresh.push(tail)
    }
    this.#byPath.set(path, id)
    tail.path = path
    return { tail, turned, found }
  }

  #leave(path: string): void {
    this.#byPath.delete(path)
  }

  /** Files that were rotated away from `path` while nobody looked: since it is followed, or after one that is known. */
  #takeRotated(found: Rotated[], path: string, watched: Set<string>, nowMs: number, fresh: Tail[]): void {
    const rotated = found.filter((other) => other.path !== path && !watched.has(other.path))
    const first = rotated.findIndex((other) => other.mtimeMs >= this.#sinceMs || this.#isKnown(other))
    if (first === -1) return
    for (const { path: other, id } of rotated.slice(first)) {
      const tail = this.tails.get(id)
      if (tail) {
        tail.path = other
        continue
      }
      const now = statFile(other)
      if (!now || this.#isPacked(other, path, now)) continue
      const late = newTail(id, other, nowMs)
      late.detached = true
      this.tails.set(id, late)
      fresh.push(late)
    }
  }

  #isKnown({ path, id }: Rotated): boolean {
    if (this.tails.has(id)) return true
    try {
      return this.#contents.matched(beginningOf(path)) > 0
    } catch (error) {
      // It was there a moment ago; rotation goes on.
      if (error instanceof Error && 'code' in error) return false
      throw error
    }
  }

  /** Whoever matches more of a known content takes it, before another that shares a shorter beginning. */
  #bestKnownFirst(fresh: Tail[]): Tail[] {
    if (fresh.length < 2) return fresh
    const matched = new Map(
      fresh.map((tail) => [tail, this.open(tail) ? this.#contents.matched(readBeginning(tail.file ?? -1)) : 0]),
    )
    return fresh.sort((a, b) => (matched.get(b) ?? 0) - (matched.get(a) ?? 0))
  }

  /** Known by its first bytes, which are looked at when the file is new here or has changed. */
  #isPacked(path: string, from: string, found: Stats): boolean {
    if (this.tails.has(idOf(found))) return false
    const known = this.#packed.get(stateOf(found))
    if (known) {
      known.path = path
      return true
    }
    if (!startsPacked(path)) return false
    const oldest = this.#packed.keys().next().value
    if (oldest !== undefined && this.#packed.size >= PACKED_MAX) this.#packed.delete(oldest)
    this.#packed.set(stateOf(found), { path, from, looks: 0 })
    return true
  }

  #stillPacked(): Packed[] {
    const still: Packed[] = []
    for (const [state, packed] of this.#packed) {
      if (packed.looks === PACKED_STILL_LOOKS) continue
      packed.looks++
      const found = statFile(packed.path)
      if (!found || stateOf(found) !== state) {
        // Rotated on, or written to: it is found again under its new name.
        this.#packed.delete(state)
        this.#turned.add(packed.from)
      } else if (packed.looks === PACKED_STILL_LOOKS) still.push(packed)
    }
    return still
  }

  #closeOldest(openMax: number): void {
    const open = [...this.tails.values()].filter(({ file }) => file !== undefined)
    // Files without a path are kept as long as others can go: closed, they are lost.
    const order = [...open.filter(({ detached }) => !detached), ...open.filter(({ detached }) => detached)]
    for (const tail of order.slice(0, Math.max(0, open.length - openMax))) closeTail(tail)
  }

  #drop(tail: Tail): void {
    closeTail(tail)
    if (tail.content) this.#contents.release(tail.content)
    this.tails.delete(tail.id)
  }
}

const stateOf = (found: Stats) => `${idOf(found)} ${found.size} ${found.mtimeMs}`

/** True when a file is other than it was, or has more than was read and looked at. */
function hasNew(tail: Tail, found: Stats): boolean {
  if (tail.size !== found.size || tail.mtimeMs !== found.mtimeMs) return true
  return (tail.content?.end ?? 0) < found.size && tail.looked < found.size
}

function startsPacked(path: string): boolean {
  try {
    const file = openSync(path, 'r')
    try {
      return packedBy(readAt(file, Buffer.alloc(4), 0)) !== ''
    } finally {
      closeSync(file)
    }
  } catch (error) {
    // Removed, or closed to us: not to be read at all.
    if (error instanceof Error && 'code' in error) return false
    throw error
  }
}
