import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

export interface SourceFile {
  /** Relative to the repository, with slashes. */
  path: string
  text: string
}

/** Made by tools, not by hand. */
const MADE = new Set(['node_modules', 'dist', '.git', '.cinch', 'coverage', 'golden'])

function walk(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (MADE.has(entry.name)) return []
    const path = join(dir, entry.name)
    return entry.isDirectory() ? walk(path) : [path]
  })
}

const TEXT = /\.(ts|js|svelte|sql|md|json|yaml|yml|html|css|proto|sh)$|\/(Dockerfile|run)$/
/** Recordings and samples may be large; nobody wrote them. */
const BYTES_MAX = 1 << 20

/** Every text file that somebody wrote, in the order of their paths. */
export function sourceFiles(): SourceFile[] {
  return walk(ROOT)
    .filter((path) => TEXT.test(path) && statSync(path).size <= BYTES_MAX)
    .map((path) => ({ path: relative(ROOT, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

export const isCode = ({ path }: SourceFile) => /\.(ts|svelte)$/.test(path)
export const isTest = ({ path }: SourceFile) => path.startsWith('test/') || path.endsWith('.test.ts')

/** The TypeScript of a file: all of it, or what is between a Svelte file's script tags. */
export function scriptOf({ path, text }: SourceFile): string {
  if (!path.endsWith('.svelte')) return text
  return [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join('\n')
}
