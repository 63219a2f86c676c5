import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TEMPLATE } from './new-store.ts'

/** Makes room for the template of `newStore`, and removes it behind the last test. */
export default function setup(): () => void {
  const dir = mkdtempSync(join(tmpdir(), 'cinch-template-'))
  process.env[TEMPLATE] = dir
  return () => rmSync(dir, { recursive: true, force: true })
}
