import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Target } from './clients.ts'

/** Processor time of the service in seconds, by who used it, as Linux counts it. */
export interface Usage {
  total: number
  /** The thread that runs JavaScript: HTTP, gRPC, checks, identities. */
  events: number
  /** Node's pool: unpacking, files, and the engine's statements, which run on it. */
  pool: number
  /** The engine's own threads: merges, background work. */
  engine: number
  /** Highest memory so far, bytes. */
  peakBytes: number
}

/** `cinch serve` in a process of its own. */
export interface Served extends Target {
  usage(): Usage
  /** Asks the API. */
  get(path: string): Promise<unknown>
  stop(): Promise<void>
}

const MAIN = join(import.meta.dirname, '../../../services/cli/main.ts')
const START_WITHIN_MS = 30_000

/** Starts the service on a store in `dir` with all receivers on free ports. */
export async function serve(dir: string): Promise<Served> {
  const args = [
    MAIN,
    'serve',
    '--store',
    `chdb:${dir}`,
    '--port',
    '0',
    '--otlp-http-port',
    '0',
    '--otlp-grpc-port',
    '0',
  ]
  const child = spawn(process.execPath, [...args, '--loopback-senders'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  })
  let out = ''
  child.stdout.on('data', (part: Buffer) => {
    out += part.toString('utf8')
  })
  const found = (pattern: RegExp) => pattern.exec(out)?.[1]
  const started = performance.now()
  while (found(/service are at (\S+)\n/) === undefined) {
    if (child.exitCode !== null || performance.now() - started > START_WITHIN_MS) throw new Error(`no service: ${out}`)
    await sleep(20)
  }
  const url = found(/(http:\S+)\/#token=/) ?? ''
  const token = found(/#token=(\S+)/) ?? ''
  return {
    url,
    token,
    http: found(/OTLP\/HTTP is at (\S+)/) ?? '',
    grpc: found(/service are at (\S+)/) ?? '',
    usage: () => usageOf(child),
    get: async (path) => {
      const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
      if (!answer.ok) throw new Error(`${path} answers ${answer.status}`)
      return await answer.json()
    },
    stop: async () => {
      if (child.exitCode !== null) throw new Error('the service ended by itself')
      child.kill('SIGTERM')
      await once(child, 'close')
      if (child.exitCode !== 0) throw new Error(`the service ended with ${child.exitCode ?? child.signalCode}`)
    },
  }
}

const TICKS_PER_SECOND = 100

/** @throws where there is no /proc */
function usageOf({ pid }: ChildProcess): Usage {
  const usage: Usage = { total: 0, events: 0, pool: 0, engine: 0, peakBytes: 0 }
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
    // Fields 14 and 15 of proc(5), counted behind the name: user and system time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const seconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
    usage[Number(thread) === pid ? 'events' : name.startsWith('libuv') ? 'pool' : 'engine'] += seconds
  }
  const all = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = all.slice(all.lastIndexOf(')') + 2).split(' ')
  usage.total = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  // Threads that ended are in the process's time only: the engine's.
  usage.engine += Math.max(0, usage.total - usage.events - usage.pool - usage.engine)
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  usage.peakBytes = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1024
  return usage
}
