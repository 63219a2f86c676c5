import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/*
 * The OpenTelemetry Collector of the lab, built by the Collector's own builder from pinned modules (`builder.yaml`; Go verifies
 * them against its checksum database). Two minutes on two cores, 0.7 GB of Go's caches, 55 MB of program.
 */
const BUILD = join(import.meta.dirname, 'builder.yaml')
export const COLLECTOR_VERSION = /^ {2}version: (\S+)$/m.exec(readFileSync(BUILD, 'utf8'))?.[1] ?? ''
const BUILDER = `go.opentelemetry.io/collector/cmd/builder@v${COLLECTOR_VERSION}`
const BUILD_DEADLINE_MS = 480_000
/** Where Go is when it is not in the PATH, as its own installation puts it. */
const GO_FOLDER = '/usr/local/go/bin'

/** The environment in which Go is found, and builds without a C compiler. */
export const goEnvironment = () => ({ ...process.env, PATH: `${process.env['PATH']}:${GO_FOLDER}`, CGO_ENABLED: '0' })

function cachedBinary(): string {
  const { XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
  return join(XDG_CACHE_HOME, 'cinch', 'lab', `otelcol-${COLLECTOR_VERSION}-${process.arch}`, 'otelcol')
}

/** The lab's Collector when it is set up, else undefined (run `npm run lab:setup`). */
export function collectorBinary(): string | undefined {
  const path = cachedBinary()
  return existsSync(path) ? path : undefined
}

/** True when this machine can build the Collector. */
export const hasGo = () => spawnSync('go', ['version'], { env: goEnvironment() }).status === 0

/**
 * Builds the Collector and puts it into the cache.
 * @returns its path
 * @throws Error that says what to do: no Go, no network, modules that cannot be verified
 */
export function setUpCollector(): string {
  const target = cachedBinary()
  if (existsSync(target)) return target
  if (!hasGo()) throw new Error('building the Collector needs Go 1.25 or later: install it, then run again')
  const scratch = mkdtempSync(join(tmpdir(), 'cinch-otelcol-'))
  try {
    copyFileSync(BUILD, join(scratch, 'builder.yaml'))
    go(scratch, ['run', BUILDER, '--config', 'builder.yaml', '--skip-compilation'])
    go(join(scratch, 'dist'), ['build', '-trimpath', '-ldflags', '-s -w', '-o', 'otelcol', '.'])
    mkdirSync(join(target, '..'), { recursive: true, mode: 0o700 })
    const partial = `${target}.${process.pid}`
    copyFileSync(join(scratch, 'dist', 'otelcol'), partial)
    renameSync(partial, target)
    return target
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function go(cwd: string, args: string[]): void {
  const done = spawnSync('go', args, { cwd, env: goEnvironment(), encoding: 'utf8', timeout: BUILD_DEADLINE_MS })
  if (done.error) throw new Error(`cannot run go (${done.error.message}); install Go, then run again`)
  if (done.status !== 0) throw new Error(`go ${args[0]} ended with ${done.status}\n${done.stderr.trim().slice(-2000)}`)
}
