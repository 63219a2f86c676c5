import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The package's own directory, from the sources as well as from `dist/` of the packed file. */
export function packageRoot(): string {
  let dir = import.meta.dirname
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir)
  return dir
}
