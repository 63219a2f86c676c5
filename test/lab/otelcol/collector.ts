import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { collectorBinary } from './setup.ts'

const READY_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 10_000

export interface RunningCollector {
  /** What it said so far. */
  log(): string
  stop(): Promise<void>
}

/** Starts the Collector with this configuration (YAML, or JSON, which is YAML); resolves when it says that all of it runs. */
export async function startCollector(dir: string, config: object): Promise<RunningCollector> {
  const binary = collectorBinary()
  if (!binary) throw new Error('the lab has no Collector: npm run lab:setup')
  const file = join(dir, 'otelcol.yaml')
  // Tokens are in it.
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  const logFile = join(dir, 'otelcol.log')
  const out = openSync(logFile, 'a')
  const child = spawn(binary, ['--config', file], { stdio: ['ignore', out, out] })
  closeSync(out)
  const log = () => readFileSync(logFile, 'utf8')
  const deadline = Date.now() + READY_DEADLINE_MS
  while (!log().includes('Everything is ready')) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`the Collector did not start\n${log().slice(-3000)}`)
    }
    await sleep(50)
  }
  return { log, stop: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await ended
  clearTimeout(kill)
}
