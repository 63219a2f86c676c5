import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/**
 * When each pattern was first followed, in milliseconds since the epoch: files that were rotated away since then are
 * wanted, even when this process was killed before it read a byte of them. Kept beside the spool, for both are this
 * machine's.
 * @param key source, cluster and pattern
 */
export function followedSince(file: string, keys: string[], nowMs: number): number {
  const known = read(file)
  const missing = keys.filter((key) => typeof known[key] !== 'number')
  for (const key of missing) known[key] = nowMs
  if (missing.length > 0) {
    writeFileSync(`${file}.draft`, JSON.stringify(known), { mode: 0o600 })
    renameSync(`${file}.draft`, file)
  }
  return Math.min(...keys.map((key) => known[key] ?? nowMs))
}

function read(file: string): Record<string, number> {
  try {
    const known: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof known === 'object' && known !== null ? (known as Record<string, number>) : {}
  } catch (error) {
    // Nothing was followed yet, or the file is no longer what we wrote: from now on, then.
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      return {}
    throw error
  }
}
