import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bootstrap } from './envoy-config.ts'

const READY_DEADLINE_MS = 15_000
const STOP_DEADLINE_MS = 5_000
/** How long a line of an access log may stay in Envoy's buffer. */
export const FLUSH_INTERVAL_MS = 50

/** A running Envoy. `listenerPort` tells the port that a listener on port 0 was given. */
export interface EnvoyProcess {
  pid: number
  /** `host:port` of its administration, where `/stats/prometheus` is. */
  admin: string
  listenerPort(name: string): number
  stop(): Promise<void>
}

interface ListenersAnswer {
  listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[]
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Starts Envoy with `bootstrap` and waits until it serves.
 * @throws Error with the end of Envoy's own log when it refuses the configuration, dies, or is not ready in 15 s
 */
export async function startEnvoy(
  binary: string,
  dir: string,
  name: string,
  bootstrap: Bootstrap,
): Promise<EnvoyProcess> {
  const config = join(dir, `${name}.json`)
  const adminFile = join(dir, `${name}.admin`)
  const logFile = join(dir, `${name}.envoy.log`)
  writeFileSync(config, JSON.stringify(bootstrap, null, 2))
  rmSync(adminFile, { force: true })
  const log = openSync(logFile, 'w')
  const flags = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning', '--drain-time-s', '1']
  const files = ['--config-path', config, '--admin-address-path', adminFile]
  const flush = ['--file-flush-interval-msec', String(FLUSH_INTERVAL_MS)]
  const child = spawn(binary, [...files, ...flags, ...flush], { stdio: ['ignore', log, log] })
  closeSync(log)
  running.add(child)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', resolve)
    child.once('error', () => resolve())
  }).then(() => void running.delete(child))
  try {
    const ports = await untilReady(child, adminFile)
    return {
      pid: child.pid ?? 0,
      admin: readFileSync(adminFile, 'utf8').trim(),
      listenerPort: (listener) => portOf(ports, listener),
      stop: () => stop(child, exited),
    }
  } catch (error) {
    await stop(child, exited)
    const tail = readFileSync(logFile, 'utf8').slice(-2_000)
    throw new Error(`Envoy ${name} did not start: ${error instanceof Error ? error.message : error}\n${tail}`)
  }
}

function portOf(ports: Map<string, number>, listener: string): number {
  const port = ports.get(listener)
  if (port === undefined) throw new Error(`no listener ${listener}; there are ${[...ports.keys()].join(', ')}`)
  return port
}

async function untilReady(child: ChildProcess, adminFile: string): Promise<Map<string, number>> {
  const deadline = Date.now() + READY_DEADLINE_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error(`it ended with ${child.exitCode}`)
    const ports = await listeners(adminFile)
    if (ports) return ports
    await sleep(20)
  }
  throw new Error(`it was not ready in ${READY_DEADLINE_MS} ms`)
}

/** Undefined while Envoy has no admin address yet, or is not live. */
async function listeners(adminFile: string): Promise<Map<string, number> | undefined> {
  try {
    const admin = `http://${readFileSync(adminFile, 'utf8').trim()}`
    const ready = await fetch(`${admin}/ready`)
    if ((await ready.text()).trim() !== 'LIVE') return undefined
    const answer = (await (await fetch(`${admin}/listeners?format=json`)).json()) as ListenersAnswer
    return new Map(answer.listener_statuses.map((l) => [l.name, l.local_address.socket_address.port_value]))
  } catch {
    // Expected until the file is written and the admin port listens; the deadline of the caller bounds it.
    return undefined
  }
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill('SIGTERM')
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await exited
  clearTimeout(kill)
}
