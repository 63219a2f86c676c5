import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import { CinchError } from '../model/errors.ts'

/** Names what a generate wrote, a path a line: those files, and no others, are the next one's to remove. */
const MANIFEST = '.cinch-generated'

/**
 * Checks that `out` is free to be written: it is new, empty, or holds an earlier result.
 * @throws CinchError `bad_option`
 */
export function checkOut(out: string): void {
  if (listing(out).length === 0 || existsSync(join(out, MANIFEST))) return
  throw new CinchError(
    'bad_option',
    `${out} is not empty and was not written by cinch`,
    'give an empty or new directory',
  )
}

/**
 * Writes the files to `out`, and removes those that an earlier result had and this one has not. What people added stays.
 * @throws CinchError `bad_policy` for a path that would leave `out`
 */
export function writeFiles(out: string, files: PolicyFile[]): void {
  const root = resolve(out)
  const paths = files.map((file) => {
    const path = resolve(root, file.path)
    if (path.startsWith(root + sep)) return path
    throw new CinchError(
      'bad_policy',
      `a file named ${file.path} would leave ${out}`,
      'report this: names are made from telemetry and must never do so',
    )
  })
  const written = new Set(paths)
  const earlier = manifest(root)
  mkdirSync(root, { recursive: true })
  // Both results' files until all is written: whatever stops this half-way, the next run knows what to remove.
  writeManifest(root, [...earlier, ...paths])
  for (const [index, path] of paths.entries()) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, files[index]?.content ?? '')
  }
  for (const path of earlier) if (!written.has(path)) removeFile(root, path)
  writeManifest(root, paths)
}

/** Reads the policies below `dir`, with their data, schemas and reports; none when there is no such directory. */
export function readFiles(dir: string): PolicyFile[] {
  if (!existsSync(dir)) return []
  listing(dir)
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ya?ml|json|cedar|cedarschema|rego)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ path: relative(dir, path), content: readFileSync(path, 'utf8') }))
}

function listing(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : String(cause)
    if (code === 'ENOENT') return []
    throw new CinchError('bad_option', `cannot use ${dir} as a directory: ${code}`, 'give another directory', { cause })
  }
}

/** Absolute paths of the earlier result; a line that leads out of `root` is nobody's to remove. */
function manifest(root: string): string[] {
  if (!existsSync(join(root, MANIFEST))) return []
  return readFileSync(join(root, MANIFEST), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => resolve(root, line))
    .filter((path) => path.startsWith(root + sep))
}

function writeManifest(root: string, paths: string[]): void {
  const lines = [...new Set(paths)].map((path) => relative(root, path)).sort()
  writeFileSync(join(root, MANIFEST), `${lines.join('\n')}\n`)
}

/** Removes a file, and the directories that it leaves empty. */
function removeFile(root: string, path: string): void {
  rmSync(path, { force: true })
  for (let dir = dirname(path); dir !== root && existsSync(dir) && listing(dir).length === 0; dir = dirname(dir))
    rmdirSync(dir)
}
