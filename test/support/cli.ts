import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { run } from '../../services/cli/run.ts'

const MAIN = join(import.meta.dirname, '../../services/cli/main.ts')

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
  /** Standard output as JSON; fails the test when anything else is on it. */
  json<T = Record<string, unknown>>(): T
}

export interface RunOptions {
  /** Directory of the embedded store, given as `--store chdb:<dir>`, or a server's URL; absent, no `--store` is given. */
  store?: string
  input?: string | Buffer
  env?: Record<string, string>
  cwd?: string
}

/** A directory that `close` removes. */
export function scratch(name: string): { dir: string; path(...parts: string[]): string; close(): void } {
  const dir = mkdtempSync(join(tmpdir(), `cinch-${name}-`))
  return {
    dir,
    path: (...parts) => join(dir, ...parts),
    close: () => rmSync(dir, { recursive: true, force: true }),
  }
}

function start(args: string[], { store, env, cwd }: RunOptions): ChildProcess {
  const given = store === undefined ? [] : ['--store', store.startsWith('http:') ? store : `chdb:${store}`]
  return spawn(process.execPath, [MAIN, ...args, ...given], {
    cwd,
    stdio: 'pipe',
    env: { ...process.env, UV_THREADPOOL_SIZE: '16', ...env },
  })
}

/** Runs the command line in a process of its own, as users do. */
export async function runCli(args: string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options)
  const out = gather(child.stdout)
  const err = gather(child.stderr)
  // A command that does not read its input closes it before all is written.
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  const stdout = out()
  return { code, stdout, stderr: err(), json: () => JSON.parse(stdout) }
}

/** Runs a command line in this process: fast, for what reads no standard input. One store only in a process. */
export async function runHere(args: string[], { store }: Pick<RunOptions, 'store'> = {}): Promise<Ran> {
  const written = { stdout: '', stderr: '' }
  const code = await run(store === undefined ? args : [...args, '--store', `chdb:${store}`], {
    out: (text) => {
      written.stdout += `${text}\n`
    },
    err: (text) => {
      written.stderr += `${text}\n`
    },
  })
  return { code, ...written, json: () => JSON.parse(written.stdout) }
}

function gather(stream: NodeJS.ReadableStream | null): () => string {
  const parts: Buffer[] = []
  stream?.on('data', (part: Buffer) => parts.push(part))
  return () => Buffer.concat(parts).toString('utf8')
}

export interface Served {
  url: string
  token: string
  child: ChildProcess
  stdout(): string
  stderr(): string
  /** Asks the API with the admin token. */
  get(path: string): Promise<Response>
  /** Ends it, and resolves to its exit status. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/**
 * Starts `cinch serve` on a free port, and waits until it says where it is.
 * @param cwd where it keeps its token and its spool when the store is a server's URL
 */
export async function startServe(store: string, args: string[] = [], cwd = process.cwd()): Promise<Served> {
  const child = start(['serve', '--port', '0', ...args], { store, cwd })
  const out = gather(child.stdout)
  const err = gather(child.stderr)
  const closed = once(child, 'close')
  const told = (async () => {
    while (!/#token=\S+\n/.test(out())) await new Promise((resolve) => setTimeout(resolve, 20))
  })()
  await Promise.race([told, closed.then(() => expect.fail(`serve ended: ${out()}${err()}`))])
  const url = /(http:\S+)\/#token=/.exec(out())?.[1] ?? ''
  const dataDir = store.startsWith('http:') ? join(cwd, '.cinch', 'server') : store
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
  return {
    url,
    token,
    child,
    stdout: out,
    stderr: err,
    get: (path) => fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } }),
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal)
      const [code, ended] = (await closed) as [number | null, NodeJS.Signals | null]
      return { code, signal: ended }
    },
  }
}

/** Asserts on an error of the command line: its code and status, something on stdout never, and the next step behind it. */
export function expectError(ran: Ran, code: string, exit: number): void {
  expect(ran.stderr).toMatch(new RegExp(`^error ${code}: .+\n {2}\\S`, 'm'))
  expect(ran.stdout).toBe('')
  expect(ran.code).toBe(exit)
}
