import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes that wait in a spool for the store, those of other processes included; 0 where there is none. */
export function spoolBytes(dataDir: string): number {
  let bytes = 0
  try {
    for (const entry of readdirSync(join(dataDir, 'spool'), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
  } catch (error) {
    // Directories come and go with the chunks in them.
    if (!(error instanceof Error && 'code' in error)) throw error
  }
  return bytes
}
