import {
  closeSync,
  existsSync,
  fsync,
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
  writev,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * The write-ahead log of ingest: a directory of chunks that are not yet in the store, each a data file and a note that says
 * what it is. The note is renamed into place last, so an entry is whole or absent, and whoever finds entries at the start
 * inserts them again under the same token: the store drops what it has.
 */
export interface Spool<Note> {
  /** Writes a chunk and its note; with `sync`, both survive a loss of power. */
  add(chunk: Uint8Array, note: Note, sync: boolean): SpoolEntry<Note>
  /**
   * The same, without blocking: the pieces are written after one another as one chunk, and survive a loss of power. When the
   * disk has no room, nothing of it stays.
   */
  put(pieces: Uint8Array[], note: Note): Promise<SpoolEntry<Note>>
  /** Entries that an earlier process left, oldest first. */
  pending(): SpoolEntry<Note>[]
}

export interface SpoolEntry<Note> {
  note: Note
  /** Absolute path of the chunk. */
  path: string
  /** Size of the chunk. */
  bytes(): number
  /** Removes the entry once its chunk is in the store. */
  done(): void
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
  for (const dir of left) removeEmpty(dir)
  return {
    put: async (pieces, note) => {
      const name = nameOf(sequence++)
      // In one go with the opening of the file: whoever removes an empty directory must not come between.
      mkdirSync(own, { recursive: true, mode: 0o700 })
      const file = openSync(join(own, `${name}.chunk`), 'wx', 0o600)
      try {
        await writePieces(file, pieces)
        writeWhole(join(own, `${name}.draft`), Buffer.from(JSON.stringify(note)), true)
        renameSync(join(own, `${name}.draft`), join(own, `${name}.json`))
        syncDirectory(own)
      } catch (error) {
        abandon(own, name)
        throw error
      } finally {
        closeSync(file)
      }
      return entryOf(own, name, note)
    },
    add: (chunk, note, sync) => {
      const name = nameOf(sequence++)
      mkdirSync(own, { recursive: true, mode: 0o700 })
      try {
        writeWhole(join(own, `${name}.chunk`), chunk, sync)
        writeWhole(join(own, `${name}.draft`), Buffer.from(JSON.stringify(note)), sync)
        renameSync(join(own, `${name}.draft`), join(own, `${name}.json`))
        if (sync) syncDirectory(own)
      } catch (error) {
        abandon(own, name)
        throw error
      }
      return entryOf(own, name, note)
    },
    pending: () => pending.map(({ dir, name, note }) => entryOf(dir, name, note)),
  }
}

interface LeftEntry<Note> {
  dir: string
  name: string
  note: Note
}

/** Whole entries of a directory, oldest first; what was never finished is removed. */
function leftEntries<Note>(dir: string): LeftEntry<Note>[] {
  const names = readdirSync(dir)
  const noted = new Set(names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5)))
  for (const name of names) if (!noted.has(name.replace(/\.[a-z]+$/, ''))) rmSync(join(dir, name))
  return [...noted]
    .sort()
    .map((name) => ({ dir, name, note: JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8')) as Note }))
}

function entryOf<Note>(dir: string, name: string, note: Note): SpoolEntry<Note> {
  const done = () => {
    rmSync(join(dir, `${name}.json`), { force: true })
    rmSync(join(dir, `${name}.chunk`), { force: true })
    removeEmpty(dir)
  }
  const path = join(dir, `${name}.chunk`)
  return { note, path, bytes: () => statSync(path).size, done }
}

/** Removes what was written of an entry that did not come to be: a full disk must not stay full of it. */
function abandon(dir: string, name: string): void {
  for (const kind of ['json', 'draft', 'chunk']) rmSync(join(dir, `${name}.${kind}`), { force: true })
  removeEmpty(dir)
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

const writeSome = promisify(writev)
const syncFile = promisify(fsync)
/** Pieces that are handed to the system at once. */
const PIECES_MAX = 512

async function writePieces(file: number, pieces: Uint8Array[]): Promise<void> {
  for (let at = 0; at < pieces.length; at += PIECES_MAX) {
    let rest = pieces.slice(at, at + PIECES_MAX)
    while (rest.length > 0) rest = behind(rest, (await writeSome(file, rest)).bytesWritten)
  }
  await syncFile(file)
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

function syncDirectory(dir: string): void {
  const file = openSync(dir, 'r')
  fsyncSync(file)
  closeSync(file)
}
