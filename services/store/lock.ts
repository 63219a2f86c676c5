import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
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
  try {
    const holder = JSON.parse(readFileSync(lockFile(dir), 'utf8')) as Holder
    process.kill(holder.pid, 0)
    return holder
  } catch (error) {
    // EPERM: the process lives and belongs to somebody else.
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return { pid: 0 }
    return undefined
  }
}

/**
 * Takes the embedded store in `dir` for this process: the engine allows one process per data directory.
 * @throws CinchError `store_busy` while another process holds it
 */
export function takeLock(dir: string): { announce: (url: string) => void; release: () => void } {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const holder = readHolder(dir)
  if (holder && holder.pid !== process.pid) {
    throw new CinchError(
      'store_busy',
      `the store in ${dir} is held by process ${holder.pid}`,
      'wait until it ends, or stop it; while `cinch serve` runs, the other commands go through its API by themselves',
    )
  }
  rmSync(lockFile(dir), { force: true })
  write(dir, { pid: process.pid }, 'wx')
  return {
    announce: (url) => write(dir, { pid: process.pid, url }, 'w'),
    release: () => rmSync(lockFile(dir), { force: true }),
  }
}

function write(dir: string, holder: Holder, flags: 'w' | 'wx'): void {
  try {
    const file = openSync(lockFile(dir), flags, 0o600)
    writeSync(file, JSON.stringify(holder))
    closeSync(file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new CinchError('store_busy', `another process just took the store in ${dir}`, 'try again when it ends')
    }
    throw error
  }
}
