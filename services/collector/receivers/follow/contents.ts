import { createHash, type Hash } from 'node:crypto'
import type { FilePosition } from '../../../store/queries/files.ts'
import { BEGINNING_BYTES } from '../../input/input.ts'

/** Up to here every recorded position has a digest of its own; behind, there is one at each power of two. */
const EXACT_BYTES = 4096

/** Contents that are remembered though no open file has them: they are what a `.gz` or a copy is recognised by. */
export const CONTENTS_MAX = 200_000

/**
 * What a file holds, whatever its name and inode: known by digests of its beginning, of more and more of it as it grew.
 * A renamed file, its copy and its `.gz` are one content; a file that was truncated and written anew is another.
 */
export interface Content {
  /** Digests of so many first bytes, by length. The longest is the newest. */
  marks: Map<number, string>
  longest: number
  /** Bytes that are on their way to the store, or there. */
  end: number
  /** Digest of the first `min(end, BEGINNING_BYTES)` bytes, to go on from; undefined until somebody has these bytes. */
  hash?: Hash | undefined
  /** Files that have it now. */
  users: number
}

/** All contents that are known, and which of them a file has. Pure but for its own memory. */
export class Contents {
  readonly #byMark = new Map<string, Set<Content>>()
  readonly #all = new Set<Content>()
  #lengths: number[] = []

  constructor(rows: FilePosition[]) {
    this.learn(rows)
  }

  /** Takes over rows of the store: new ones, and positions that moved on. */
  learn(rows: FilePosition[]): void {
    for (const row of rows) {
      const known = [...(this.#byMark.get(key(row.beginning, row.file)) ?? [])]
      for (const content of known) {
        if (row.end <= content.end) continue
        content.end = row.end
        content.hash = undefined
      }
      if (known.length > 0) continue
      const content = this.#add(row.end)
      this.#mark(content, row.beginning, row.file)
    }
  }

  /** How much of `beginning` is the beginning of a known content: who matches more is asked first, see `claim`. */
  matched(beginning: Buffer): number {
    return this.#find(beginning)[0]?.length ?? 0
  }

  /** How far the content of a file that begins so is known. */
  end(beginning: Buffer): number {
    return this.#find(beginning)[0]?.content.end ?? 0
  }

  /**
   * The content of a file that begins so, for one more user. Of a content that is known by 200 and by 1000 bytes, a file of
   * 600 is the same when the 200 are; one of 1000 only when all are. Rows of the store that a file matches are its own from
   * then on: another file that shares only the shorter beginning is another content.
   * @param beginning the first bytes, up to `BEGINNING_BYTES`; at least one
   */
  claim(beginning: Buffer): Content {
    const found = this.#find(beginning)
    const best = found[0]?.content ?? this.#add(0)
    for (const { content } of found.slice(1)) {
      if (content.users > 0 || content === best) continue
      best.end = Math.max(best.end, content.end)
      for (const [length, digest] of content.marks) this.#mark(best, length, digest)
      this.#forget(content)
    }
    best.users++
    this.prime(best, beginning)
    return best
  }

  /** A content of its own for a file that shares its beginning with a known one, and is another. */
  fork(): Content {
    const content = this.#add(0)
    content.users++
    content.hash = createHash('sha256')
    return content
  }

  /** Gives a content the bytes from which its digests go on. */
  prime(content: Content, beginning: Buffer): void {
    const needed = Math.min(content.end, BEGINNING_BYTES)
    if (content.hash || beginning.length < needed) return
    content.hash = createHash('sha256').update(beginning.subarray(0, needed))
  }

  release(content: Content): void {
    content.users--
    if (content.users <= 0 && content.marks.size === 0) this.#forget(content)
  }

  /** Goes on by `bytes`, which are at `content.end`. @returns the position to record */
  advance(content: Content, bytes: Buffer): FilePosition {
    const start = content.end
    content.end += bytes.length
    if (start < BEGINNING_BYTES) this.#hashOn(content, start, bytes)
    const length = content.longest
    return { file: content.marks.get(length) ?? '', beginning: length, end: content.end }
  }

  #hashOn(content: Content, start: number, bytes: Buffer): void {
    const { hash } = content
    if (!hash) throw new Error('a content is read on whose beginning nobody had')
    const end = Math.min(content.end, BEGINNING_BYTES)
    let at = start
    for (const length of markLengths(start, end)) {
      hash.update(bytes.subarray(at - start, length - start))
      at = length
      this.#mark(content, length, hash.copy().digest('hex'))
    }
    hash.update(bytes.subarray(at - start, end - start))
  }

  /** Contents that `beginning` may have, the longest match first. */
  #find(beginning: Buffer): { content: Content; length: number }[] {
    const hash = createHash('sha256')
    const matches = new Map<Content, number>()
    let hashed = 0
    for (const length of this.#lengths) {
      if (length > beginning.length) break
      hash.update(beginning.subarray(hashed, length))
      hashed = length
      for (const content of this.#byMark.get(key(length, hash.copy().digest('hex'))) ?? []) matches.set(content, length)
    }
    return [...matches]
      .filter(([{ marks }, length]) => ![...marks.keys()].some((other) => other > length && other <= beginning.length))
      .map(([content, length]) => ({ content, length }))
      .sort((a, b) => b.length - a.length || b.content.end - a.content.end)
  }

  #add(end: number): Content {
    for (const content of this.#all) {
      if (this.#all.size < CONTENTS_MAX) break
      if (content.users === 0) this.#forget(content)
    }
    const content: Content = { marks: new Map(), longest: 0, end, users: 0 }
    this.#all.add(content)
    return content
  }

  #mark(content: Content, length: number, digest: string): void {
    content.marks.set(length, digest)
    content.longest = Math.max(content.longest, length)
    const same = this.#byMark.get(key(length, digest)) ?? new Set()
    this.#byMark.set(key(length, digest), same.add(content))
    const at = lowerBound(this.#lengths, length)
    if (this.#lengths[at] !== length) this.#lengths.splice(at, 0, length)
  }

  #forget(content: Content): void {
    this.#all.delete(content)
    for (const [length, digest] of content.marks) {
      const same = this.#byMark.get(key(length, digest))
      same?.delete(content)
      if (same?.size === 0) this.#byMark.delete(key(length, digest))
    }
  }
}

const key = (length: number, digest: string) => `${length} ${digest}`

/** The lengths to digest between two positions: the new end while it is small, then each power of two that was passed. */
function markLengths(start: number, end: number): number[] {
  if (end <= EXACT_BYTES) return end > start ? [end] : []
  const lengths: number[] = []
  for (let length = EXACT_BYTES; length <= end; length *= 2) if (length > start) lengths.push(length)
  return lengths
}

function lowerBound(sorted: number[], value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}
