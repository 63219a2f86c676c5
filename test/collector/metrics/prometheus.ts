import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './target.ts'

/** The real program: Debian's package `prometheus`. */
export const hasPrometheus = () => spawnSync('prometheus', ['--version']).status === 0

export interface Prometheus {
  url: string
  /** A range of raw samples of every series that matches: what it scraped itself. */
  samples(selector: string): Promise<{ labels: Record<string, string>; values: [number, string][] }[]>
  value(expression: string): Promise<number>
  stop(): Promise<void>
}

export interface PrometheusOptions {
  /** `host:port` of what it scrapes. */
  targets: string[]
  /** Where it writes to, and as whom; absent, it only scrapes. */
  write?: { url: string; token: string }
}

/** Starts Prometheus on loopback: scrapes every half second, and writes what it scraped on. */
export async function startPrometheus({ targets, write }: PrometheusOptions): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), 'cinch-prometheus-'))
  const remote = write
    ? [{ url: write.url, authorization: { credentials: write.token }, queue_config: { batch_send_deadline: '300ms' } }]
    : []
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
    scrape_configs: [{ job_name: 'mesh', static_configs: [{ targets }] }],
    remote_write: remote,
  }
  // JSON is YAML.
  writeFileSync(join(dir, 'prometheus.yml'), JSON.stringify(config), { mode: 0o600 })
  const port = await freePort()
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const log: string[] = []
  child.stderr?.on('data', (part: Buffer) => log.push(part.toString()))
  const url = `http://127.0.0.1:${port}`
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`prometheus ended: ${log.join('').slice(-2000)}`)
    return await fetch(`${url}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    )
  })
  const ask = async <T>(expression: string) => {
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`)
    return ((await answer.json()) as { data: { result: T[] } }).data.result
  }
  return {
    url,
    samples: async (selector) =>
      (await ask<{ metric: Record<string, string>; values: [number, string][] }>(`${selector}[10m]`)).map(
        ({ metric, values }) => ({ labels: metric, values }),
      ),
    value: async (expression) =>
      Number((await ask<{ value: [number, string] }>(expression))[0]?.value[1] ?? Number.NaN),
    stop: async () => {
      await ended(child)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
