import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The write-ahead log of ingest: a directory of chunks that are not yet in the store, each a data file and a note that says
 * what it is, and how long the chunk. The note is renamed into place last, so an entry is whole or none, and whoever finds entries
 * at the start inserts them again under the same token: the store drops what it has.
 */
export interface Spool<Note> {
  /** Writes a chunk and its note; with `sync`, both survive a loss of power. */
  add(chunk: Uint8Array, note: Note, sync: boolean): SpoolEntry<Note>
  /**
   * The same, without blocking: the pieces are written after one another as one chunk. When the disk has no room, nothing of
   * it stays.
   */
  put(pieces: Uint8Array[], note: Note, sync: boolean): Promise<SpoolEntry<Note>>
  /** Entries that an earlier process left, oldest first. */
  pending(): SpoolEntry<Note>[]
}

export interface SpoolEntry<Note> {
  note: Note
  /** Absolute path of the chunk. */
  path: string
  /** Size of the chunk. */
  bytes: number
  /** Makes the entry survive a loss of power, where it was written without. */
  sync(): Promise<void>
  /** Removes the entry once its chunk is in the store. */
  done(): Promise<void>
}

/**
 * Opens the spool below `root`, readable by its owner only. Each process writes in a directory of its own; what processes
 * that ended left is pending here, halves of entries excepted.
 * @param exclusive true when no other process can be at work on this spool, whatever the process ids say
 */
export function openSpool<Note>(root: string, exclusive: boolean): Spool<Note> {
  const own = join(root, String(process.pid))
  mkdirSync(root, { recursive: true, mode: 0o700 })
  const left = readdirSync(root)
    .filter((name) => exclusive || name === String(process.pid) || !isAlive(Number(name)))
    .map((name) => join(root, name))
  const pending = left.flatMap((dir) => leftEntries<Note>(dir))
  let sequence = Math.max(0, ...pending.filter(({ dir }) => dir === own).map(({ name }) => Number(name) + 1))
  const uses = createUses()
  for (const { dir } of pending) uses.begin(dir)
  for (const dir of left) removeEmpty(dir)
  const begin = () => {
    const name = nameOf(sequence++)
    uses.begin(own)
    const file = (kind: string) => join(own, `${name}.${kind}`)
    return { name, chunk: file('chunk'), draft: file('draft'), note: file('json') }
  }
  const entryOf = ({ dir, name, note }: LeftEntry<Note>, bytes: number): SpoolEntry<Note> => ({
    note,
    path: join(dir, `${name}.chunk`),
    bytes,
    sync: async () => {
      for (const kind of ['chunk', 'json']) await syncPath(join(dir, `${name}.${kind}`))
      await syncPath(dir)
    },
    done: async () => {
      // The note first: a chunk without one is no entry.
      for (const kind of ['json', 'chunk']) await rm(join(dir, `${name}.${kind}`), { force: true })
      uses.end(dir)
    },
  })
  return {
    put: async (pieces, note, sync) => {
      const files = begin()
      try {
        // Side by side, and whole before the note has its name: only then do they mean anything.
        const text = textOf(note, size(pieces))
        const written = await Promise.allSettled([
          writePieces(files.chunk, pieces, sync),
          writePieces(files.draft, [text], sync),
        ])
        for (const result of written) if (result.status === 'rejected') throw result.reason
        await rename(files.draft, files.note)
        if (sync) await syncPath(own)
      } catch (error) {
        // A full disk must not stay full of what did not come to be.
        for (const path of [files.note, files.draft, files.chunk]) await rm(path, { force: true })
        uses.end(own)
        throw error
      }
      return entryOf({ dir: own, name: files.name, note }, size(pieces))
    },
    add: (chunk, note, sync) => {
      const files = begin()
      try {
        writeWhole(files.chunk, chunk, sync)
        writeWhole(files.draft, textOf(note, chunk.length), sync)
        renameSync(files.draft, files.note)
        if (sync) syncDirectoryNow(own)
      } catch (error) {
        for (const path of [files.note, files.draft, files.chunk]) rmSync(path, { force: true })
        uses.end(own)
        throw error
      }
      return entryOf({ dir: own, name: files.name, note }, chunk.length)
    },
    pending: () => pending.map((entry) => entryOf(entry, statSync(join(entry.dir, `${entry.name}.chunk`)).size)),
  }
}

/** Which directories have entries: one is made for the first, and goes with the last. */
function createUses(): { begin(dir: string): void; end(dir: string): void } {
  const uses = new Map<string, number>()
  return {
    begin: (dir) => {
      const before = uses.get(dir) ?? 0
      if (before === 0) mkdirSync(dir, { recursive: true, mode: 0o700 })
      uses.set(dir, before + 1)
    },
    end: (dir) => {
      const left = (uses.get(dir) ?? 0) - 1
      uses.set(dir, left)
      if (left === 0) removeEmpty(dir)
    },
  }
}

interface LeftEntry<Note> {
  dir: string
  name: string
  note: Note
}

const textOf = (note: unknown, bytes: number) =>
  Buffer.from(JSON.stringify({ ...(note as object), chunk_bytes: bytes }))

/**
 * Whole entries of a directory, oldest first; others are removed: what was never finished, and what was not synced when the power
 * went, which leaves files short or empty. Of neither was anything answered.
 */
function leftEntries<Note>(dir: string): LeftEntry<Note>[] {
  const found = new Map<string, LeftEntry<Note>>()
  for (const file of readdirSync(dir)) {
    const name = file.replace(/\.json$/, '')
    const note = name === file ? undefined : wholeNote<Note>(join(dir, name))
    if (note !== undefined) found.set(name, { dir, name, note })
  }
  for (const file of readdirSync(dir)) if (!found.has(file.replace(/\.[a-z]+$/, ''))) rmSync(join(dir, file))
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function wholeNote<Note>(path: string): Note | undefined {
  try {
    const { chunk_bytes, ...note } = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as { chunk_bytes?: number }
    // Entries of earlier versions do not say it; they were synced.
    const { size } = statSync(`${path}.chunk`)
    return size === (chunk_bytes ?? size) ? (note as Note) : undefined
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function removeEmpty(dir: string): void {
  if (existsSync(dir) && readdirSync(dir).length === 0) rmdirSync(dir)
}

function isAlive(pid: number): boolean {
  try {
    return Number.isInteger(pid) && process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

const nameOf = (sequence: number) => String(sequence).padStart(12, '0')

const size = (pieces: Uint8Array[]) => pieces.reduce((sum, piece) => sum + piece.length, 0)
/** Pieces that are handed to the system at once. */
const PIECES_MAX = 512

/** Writes a file that must not be there yet; with `sync`, it is on the disk then. */
async function writePieces(path: string, pieces: Uint8Array[], sync: boolean): Promise<void> {
  await withFile(await open(path, 'wx', 0o600), async (file) => {
    for (let at = 0; at < pieces.length; at += PIECES_MAX) {
      let rest = pieces.slice(at, at + PIECES_MAX)
      while (rest.length > 0) rest = behind(rest, (await file.writev(rest)).bytesWritten)
    }
    if (sync) await file.sync()
  })
}

/** Of a file or a directory. */
async function syncPath(path: string): Promise<void> {
  await withFile(await open(path, 'r'), (file) => file.sync())
}

async function withFile(file: FileHandle, work: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await work(file)
  } finally {
    await file.close()
  }
}

/** What is left of the pieces behind their first `written` bytes. */
function behind(pieces: Uint8Array[], written: number): Uint8Array[] {
  let skip = written
  const rest: Uint8Array[] = []
  for (const piece of pieces) {
    if (skip < piece.length) rest.push(piece.subarray(skip))
    skip = Math.max(0, skip - piece.length)
  }
  return rest
}

function writeWhole(path: string, bytes: Uint8Array, sync: boolean): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    if (sync) fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncDirectoryNow(dir: string): void {
  const file = openSync(dir, 'r')
  fsyncSync(file)
  closeSync(file)
}
