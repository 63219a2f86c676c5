import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/**
 * The write-ahead log of ingest: a directory of chunks that are not yet in the store, each a data file and a note that says
 * what it is. The note is renamed into place last, so an entry is whole or absent, and whoever finds entries at the start
 * inserts them again under the same token: the store drops what it has.
 */
export interface Spool<Note> {
  /** Writes a chunk and its note; with `sync`, both survive a loss of power. */
  add(chunk: Uint8Array, note: Note, sync: boolean): SpoolEntry<Note>
  /** Entries that an earlier process left, oldest first. */
  pending(): SpoolEntry<Note>[]
}

export interface SpoolEntry<Note> {
  note: Note
  /** Absolute path of the chunk. */
  path: string
  /** Removes the entry once its chunk is in the store. */
  done(): void
}

/** Opens the spool in `dir`, created readable by its owner only; halves of entries that were never finished are removed. */
export function openSpool<Note>(dir: string): Spool<Note> {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const names = readdirSync(dir)
  const noted = new Set(names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5)))
  for (const name of names) if (!noted.has(name.replace(/\.[a-z]+$/, ''))) rmSync(join(dir, name))
  let sequence = Math.max(0, ...[...noted].map((name) => Number.parseInt(name, 10) + 1))

  const entry = (name: string, note: Note): SpoolEntry<Note> => ({
    note,
    path: join(dir, `${name}.chunk`),
    done: () => {
      rmSync(join(dir, `${name}.json`), { force: true })
      rmSync(join(dir, `${name}.chunk`), { force: true })
    },
  })
  return {
    add: (chunk, note, sync) => {
      const name = String(sequence++).padStart(12, '0')
      writeWhole(join(dir, `${name}.chunk`), chunk, sync)
      writeWhole(join(dir, `${name}.draft`), Buffer.from(JSON.stringify(note)), sync)
      renameSync(join(dir, `${name}.draft`), join(dir, `${name}.json`))
      if (sync) syncDirectory(dir)
      return entry(name, note)
    },
    pending: () =>
      [...noted].sort().map((name) => entry(name, JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8')) as Note)),
  }
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
