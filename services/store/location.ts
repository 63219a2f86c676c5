import { resolve } from 'node:path'
import { CinchError } from '../model/errors.ts'

/** Where the store is: a directory of the embedded engine, or a ClickHouse server. */
export type StoreLocation = { kind: 'chdb'; dir: string } | { kind: 'http'; url: string }

export const DEFAULT_STORE = 'chdb:./.cinch'

/**
 * Reads `CINCH_STORE` or `--store`: `chdb:<dir>` or `http(s)://…`.
 * @throws CinchError `store_location` for anything else
 */
export function parseStoreLocation(text: string): StoreLocation {
  if (text.startsWith('chdb:')) {
    const dir = text.slice('chdb:'.length)
    if (dir !== '') return { kind: 'chdb', dir: resolve(dir) }
  }
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return { kind: 'http', url: text }
  throw new CinchError(
    'store_location',
    `'${text}' names no store`,
    'give chdb:<directory> or http(s)://host:port/database',
  )
}
