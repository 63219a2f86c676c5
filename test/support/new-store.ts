import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'

/** Where a run of the tests keeps its template of a store. */
export const TEMPLATE = 'CINCH_TEST_TEMPLATE'
const MAKE = join(import.meta.dirname, 'make-store.ts')

/**
 * Makes `dir` an empty store with all migrations, by a copy of one that is made once in a run of the tests: 150 statements take the
 * engine a second, the copy 50 ms. Outside of such a run it does nothing, and whoever opens the store migrates it.
 * @returns `dir`
 */
export function newStore(dir: string): string {
  const room = process.env[TEMPLATE]
  if (room === undefined) return dir
  const template = join(room, 'store')
  if (!existsSync(template)) makeTemplate(template)
  // Links of the engine are relative, and stay so.
  cpSync(template, dir, { recursive: true, verbatimSymlinks: true })
  return dir
}

/** In a process of its own, for the engine has one store in a process. Of two that make it at once, the first one's stays. */
function makeTemplate(template: string): void {
  const made = `${template}-${process.pid}`
  const { status, stderr } = spawnSync(process.execPath, [MAKE, made], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`no template of a store: ${stderr}`)
  try {
    renameSync(made, template)
  } catch (error) {
    if (!existsSync(template)) throw error
  }
}
