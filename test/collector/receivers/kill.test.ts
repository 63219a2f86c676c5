import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { openStore, query } from '../../../services/store/store.ts'
import { type Served, scratch, startServe } from '../../support/cli.ts'
import { accessLine } from '../../support/telemetry.ts'
import { seeded } from '../lines.ts'
import { toProtobuf } from '../otlp.ts'
import { filesBelow } from '../support.ts'

const SEED = Number(process.env['CINCH_KILL_SEED'] ?? 5)
const KILLS = Number(process.env['CINCH_KILLS'] ?? 8)
const SENDERS_AT_ONCE = 12
const LINES = 20
const SPANS = 15

const room = scratch('receivers-kill')
const served: Served[] = []
afterAll(async () => {
  for (const each of served) if (each.child.exitCode === null) each.child.kill('SIGKILL')
  rmSync(room.dir, { recursive: true, force: true })
})

async function start(): Promise<{ server: Served; http: string }> {
  const server = await startServe(room.path('store'), ['--otlp-http-port', '0'])
  served.push(server)
  while (!/OTLP\/HTTP is at (\S+)\n/.test(server.stdout())) await sleep(10)
  return { server, http: /OTLP\/HTTP is at (\S+)\n/.exec(server.stdout())?.[1] ?? '' }
}

async function register(server: Served): Promise<string> {
  const answer = await fetch(`${server.url}/api/v1/senders`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'shop', sources: ['istio-json', 'otlp-traces'] }),
  })
  return ((await answer.json()) as { token: string }).token
}

/** Lines of which the last is none, and spans of which no two are alike. */
function lines(request: number): string {
  const all = Array.from({ length: LINES }, (_, line) => accessLine({ path: `/r${request}/l${line}` }))
  return [...all, `no access log ${request}`].join('\n')
}

function spans(request: number): Buffer {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
  const start = BigInt(Date.parse('2026-11-05T10:00:00Z')) * 1_000_000n
  const all = Array.from({ length: SPANS }, (_, span) => ({
    traceId: hex(request + 1, 32),
    spanId: hex(span + 1, 16),
    name: 'GET /orders',
    kind: 'SPAN_KIND_SERVER',
    startTimeUnixNano: String(start + BigInt(request)),
  }))
  return toProtobuf([{ attributes: { 'service.name': 'orders' }, spans: all }])
}

test(`killed at any moment, and everything without an answer sent again, nothing is lost or counted twice (${KILLS} kills)`, async () => {
  const random = seeded(SEED)
  let now = await start()
  const token = await register(now.server)
  let isOver = false
  let sent = 0
  let retried = 0
  const send = async (request: number): Promise<void> => {
    const isLines = request % 2 === 0
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
    }
    for (;;) {
      const url = isLines ? `${now.server.url}/ingest/istio-json` : `${now.http}/v1/traces`
      const body = isLines ? lines(request) : gzipSync(spans(request))
      const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(Buffer.from(body)) }).catch(
        () => undefined,
      )
      await answer?.arrayBuffer().catch(() => undefined)
      if (answer?.status === 200) return
      expect([undefined, 503]).toContain(answer?.status)
      retried++
      await sleep(20)
    }
  }
  const worker = async () => {
    while (!isOver) await send(sent++)
  }
  const workers = Array.from({ length: SENDERS_AT_ONCE }, worker)
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(100 + random() * 1500)
    await now.server.stop('SIGKILL')
    now = await start()
  }
  await sleep(300)
  isOver = true
  await Promise.all(workers)
  expect(await now.server.stop()).toEqual({ code: 0, signal: null })

  expect(retried).toBeGreaterThan(KILLS)
  expect(filesBelow(room.path('store', 'spool'))).toEqual([])
  const [ofLines, ofSpans] = [Math.ceil(sent / 2), Math.floor(sent / 2)]
  const store = await openStore({ kind: 'chdb', dir: room.path('store') })
  try {
    const one = async (sql: string) => (await query<Record<string, number>>(store.reads, sql))[0]
    expect(await one('SELECT count() AS facts, uniqExact(path) AS paths FROM request')).toEqual({
      facts: ofLines * LINES,
      paths: ofLines * LINES,
    })
    expect(await one('SELECT sum(requests) AS n FROM operation_usage')).toEqual({ n: ofLines * LINES })
    expect(await one('SELECT sum(requests) AS n FROM operation_usage_day')).toEqual({ n: ofLines * LINES })
    expect(await one('SELECT sum(requests) AS n FROM operation_week')).toEqual({ n: ofLines * LINES })
    expect(await one('SELECT sum(requests) AS n FROM edge_usage_day')).toEqual({ n: ofLines * LINES })
    expect(await one('SELECT count() AS n FROM rejected_line')).toEqual({ n: ofLines })
    expect(await one('SELECT count() AS n, uniqExact(span_key) AS keys FROM span')).toEqual({
      n: ofSpans * SPANS,
      keys: ofSpans * SPANS,
    })
    expect(await one('SELECT sum(spans) AS n FROM span_minute')).toEqual({ n: ofSpans * SPANS })
    expect(await one('SELECT sum(accepted) AS n FROM ingest_batch')).toEqual({ n: ofLines * LINES + ofSpans * SPANS })
    expect(await one('SELECT uniqExact(request) AS n FROM received_request')).toEqual({ n: sent })
  } finally {
    await store.close()
  }
}, 600_000)
