import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { goEnvironment } from '../otelcol/setup.ts'

/** Engines that decide by rendered policies, each a Go module in a folder of its own: `go.sum` pins every byte of it. */
export const ENGINES = ['netpol', 'clusterpol', 'schema', 'opa'] as const
export type Engine = (typeof ENGINES)[number]

/** What is built in the folder: programs of ours around the matchers of Cyclonus and kube-network-policies and the API server's validation, and OPA's own. */
const PACKAGES: Record<Engine, string> = {
  netpol: '.',
  clusterpol: '.',
  schema: '.',
  opa: 'github.com/open-policy-agent/opa',
}

/** Of modules that are read and not compiled: what the schemas' program reads them for. */
const READ: Partial<Record<Engine, Record<string, string>>> = {
  schema: {
    'istio.io/api': 'kubernetes/customresourcedefinitions.gen.yaml',
    'sigs.k8s.io/network-policy-api': 'config/crd/standard',
    'sigs.k8s.io/gateway-api': 'config/crd/standard',
  },
}

/** Modules are downloaded, too; compiling OPA takes 140 s on two cores that others use too. */
const BUILD_DEADLINE_MS = 900_000

const folderOf = (engine: Engine) => join(import.meta.dirname, engine)

/** One file for each state of the engine's sources. */
function cachedBinary(engine: Engine): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folderOf(engine)).sort())
    hash.update(name).update(readFileSync(join(folderOf(engine), name)))
  const { XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
  const version = hash.digest('hex').slice(0, 16)
  return join(XDG_CACHE_HOME, 'cinch', 'lab', `${engine}-${version}-${process.platform}-${process.arch}`, engine)
}

/** The engine's program when it is set up, else undefined (run `npm run lab:setup`). */
export function engineBinary(engine: Engine): string | undefined {
  const path = cachedBinary(engine)
  return existsSync(path) ? path : undefined
}

/**
 * Builds the engine from its pinned modules into the cache.
 * @returns the path of the program
 * @throws Error that says what to do: no Go, no network, a build that fails
 */
export function setUpEngine(engine: Engine): string {
  const path = cachedBinary(engine)
  if (existsSync(path)) return path
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
  const partial = `${path}.${process.pid}`
  const read = Object.entries(READ[engine] ?? {}).map(([module, path]) => join(folderOfModule(engine, module), path))
  const linked = read.length > 0 ? ['-ldflags', `-X main.sources=${read.join(':')}`] : []
  go(engine, ['build', '-mod=readonly', '-trimpath', ...linked, '-o', partial, PACKAGES[engine]])
  renameSync(partial, path)
  return path
}

function folderOfModule(engine: Engine, module: string): string {
  go(engine, ['mod', 'download', module])
  return go(engine, ['list', '-mod=readonly', '-m', '-f', '{{.Dir}}', module]).trim()
}

function go(engine: Engine, args: string[]): string {
  const done = spawnSync('go', args, {
    cwd: folderOf(engine),
    env: goEnvironment(),
    encoding: 'utf8',
    timeout: BUILD_DEADLINE_MS,
  })
  if (done.error) throw new Error(`cannot run go (${done.error.message}); install Go 1.26 or later, then run again`)
  if (done.status !== 0) throw new Error(`go ${args.join(' ')} ended with ${done.status}\n${done.stderr.trim()}`)
  return done.stdout
}
