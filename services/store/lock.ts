import { createHash, randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CinchError } from '../model/errors.ts'

/** What the holder of an embedded store says of itself, so that other processes can reach it. */
export interface Holder {
  pid: number
  /** Base URL of the holder's API, when it serves one. */
  url?: string
}

const lockFile = (dir: string) => join(dir, 'holder.json')

/** The living process that holds the embedded store in `dir`, if any. A holder that was killed holds nothing. */
export function readHolder(dir: string): Holder | undefined {
  return living(read(lockFile(dir)))
}

/**
 * Takes the embedded store in `dir` for this process: the engine allows one process per data directory.
 * @throws CinchError `store_busy` while another process holds it
 */
export function takeLock(dir: string): { announce: (url: string) => void; release: () => void } {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = lockFile(dir)
  // The same process that takes it twice writes two texts: each can be told from what it was before.
  const holder = { pid: process.pid, taken: randomUUID() }
  if (!take(path, JSON.stringify(holder))) {
    const other = readHolder(dir)
    throw new CinchError(
      'store_busy',
      other ? `the store in ${dir} is held by process ${other.pid}` : `another process just took the store in ${dir}`,
      'wait until it ends, or stop it; while `cinch serve` runs, the other commands go through its API by themselves',
    )
  }
  return {
    announce: (url) => renameSync(whole(path, JSON.stringify({ ...holder, url })), path),
    release: () => rmSync(path, { force: true }),
  }
}

/**
 * Makes the file with this text unless a living process has it. A dead one's is taken away by one process alone: by whoever
 * holds the lock on taking away that very text, which is taken in the same way, and so on for those that died at it.
 */
function take(path: string, text: string): boolean {
  if (create(path, text)) return true
  const before = read(path)
  if (before === undefined || isOther(living(before))) return false
  const removal = `${path}.${createHash('sha256').update(before).digest('hex').slice(0, 16)}`
  if (!take(removal, text)) return false
  try {
    // Another process may have done all this, and given the removal back, since it was read.
    if (read(path) !== before) return false
    rmSync(path)
    return create(path, text)
  } finally {
    rmSync(removal, { force: true })
  }
}

const isOther = (holder: Holder | undefined) => holder !== undefined && holder.pid !== process.pid

/** Makes a file that is whole from the moment at which it is there; false when there is one. */
function create(path: string, text: string): boolean {
  const own = whole(path, text)
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    rmSync(own, { force: true })
  }
}

/** Writes a file beside `path` that nobody else knows. */
function whole(path: string, text: string): string {
  const own = `${path}.${randomUUID()}`
  writeFileSync(own, text, { mode: 0o600, flag: 'wx' })
  return own
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** The process that a lock's text names, while it lives. */
function living(text: string | undefined): Holder | undefined {
  try {
    const holder = JSON.parse(text ?? '') as Holder
    process.kill(holder.pid, 0)
    return holder
  } catch (error) {
    // EPERM: the process lives and belongs to somebody else.
    return codeOf(error) === 'EPERM' ? { pid: 0 } : undefined
  }
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined)
