import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
} from 'node:fs'
import { join } from 'node:path'

/**
 * Mends the one window in which a killed process loses rows, before the engine opens the store.
 *
 * The engine writes an insert's deduplication record before it renames the part into place. Killed between the two, it
 * leaves a record without a part, and the replay with the same token is then dropped silently. So for every added record
 * whose part no directory of its table covers, the engine's own drop record is appended. A log line is
 * `1<tab>part<tab>id` (added) or `2<tab>part<tab>id` (dropped); a torn last line is cut.
 *
 * @returns how many records were withdrawn
 */
export function repairDeduplication(dir: string): number {
  let withdrawn = 0
  for (const table of tableDirectories(dir)) {
    const logs = join(table, 'deduplication_logs')
    if (!existsSync(logs)) continue
    const parts = readdirSync(table)
      .map(parsePart)
      .filter((part) => part !== undefined)
    withdrawn += repairTable(logs, parts)
  }
  return withdrawn
}

interface Part {
  partition: string
  min: number
  max: number
}

function repairTable(logs: string, parts: Part[]): number {
  const files = readdirSync(logs)
    .filter((name) => /^deduplication_log_\d+\.txt$/.test(name))
    .sort((a, b) => number(a) - number(b))
    .map((name) => join(logs, name))
  const live = new Map<string, string>()
  for (const file of files) {
    for (const line of wholeLines(file)) {
      const [operation, part = '', id = ''] = line.split('\t')
      if (operation === '1') live.set(id, part)
      if (operation === '2') live.delete(id)
    }
  }
  const orphans = [...live].filter(([, part]) => !isCovered(part, parts))
  const last = files.at(-1)
  if (orphans.length === 0 || last === undefined) return 0
  appendFileSync(last, orphans.map(([id, part]) => `2\t${part}\t${id}\n`).join(''))
  sync(last)
  return orphans.length
}

/** The file's lines; a torn last one is cut off the file, for the engine would stumble over it. */
function wholeLines(file: string): string[] {
  const text = readFileSync(file)
  const end = text.lastIndexOf(0x0a) + 1
  if (end < text.length) truncateSync(file, end)
  return text.subarray(0, end).toString('utf8').split('\n').slice(0, -1)
}

function isCovered(name: string, parts: Part[]): boolean {
  const part = parsePart(name)
  // A record of a shape that is not known here is left alone.
  if (!part) return true
  return parts.some((other) => other.partition === part.partition && other.min <= part.min && part.max <= other.max)
}

/** `<partition>_<min block>_<max block>_<level>`, as the engine names parts; temporary and detached directories are none. */
function parsePart(name: string): Part | undefined {
  const match = /^([^_]+)_(\d+)_(\d+)_\d+(_\d+)?$/.exec(name)
  return match ? { partition: match[1] ?? '', min: Number(match[2]), max: Number(match[3]) } : undefined
}

function tableDirectories(dir: string): string[] {
  const store = join(dir, 'store')
  if (!existsSync(store)) return []
  return readdirSync(store).flatMap((prefix) =>
    readdirSync(join(store, prefix)).map((uuid) => join(store, prefix, uuid)),
  )
}

function number(name: string): number {
  return Number(/\d+/.exec(name)?.[0])
}

function sync(file: string): void {
  const descriptor = openSync(file, 'r+')
  fsyncSync(descriptor)
  closeSync(descriptor)
}
