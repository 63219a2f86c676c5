import { spawnSync } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Served, scratch, startServe } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine } from '../support/telemetry.ts'

/** What arrived at the endpoint, by path: the SDK's own exporter wrote it, as OTLP in JSON. */
const received: Record<string, string[]> = {}
let endpoint: Server
let served: Served
const room = scratch('own-telemetry')
const saved = { ...process.env }

beforeAll(async () => {
  endpoint = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts)
      const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
      received[request.url ?? ''] = [...(received[request.url ?? ''] ?? []), text.toString('utf8')]
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve))
  Object.assign(process.env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  })
  served = await startServe(newStore(room.path('store')))
  process.env = { ...saved }
}, 60_000)

afterAll(async () => {
  process.env = { ...saved }
  await served?.stop('SIGKILL')
  endpoint?.close()
  room.close()
})

describe('with an endpoint in the standard variable', () => {
  test('traces, metrics and logs of Cinch are exported, and nothing secret with them', async () => {
    const body = `${accessLine({ path: '/orders?token=hunter2' })}\nno access log of user alice@example.com\n`
    const sent = await fetch(`${served.url}/ingest/istio-json?cluster=hidden-query`, {
      method: 'POST',
      headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/octet-stream' },
      body,
    })
    expect(await sent.json()).toMatchObject({ accepted: 1, rejected: 1 })
    await served.get('/api/v1/edges?since=1h')
    expect((await fetch(`${served.url}/api/v1/sources`)).status).toBe(401)
    const metrics = await (await served.get('/metrics')).text()
    expect(metrics).toMatch(/cinch_ingest_accepted_total\{source="istio-json",sender="operator",receiver="\w+"\} 1\n/)
    expect((await served.stop()).code).toBe(0)

    const spans = spansOf(received['/v1/traces'] ?? [])
    const names = spans.map(({ name }) => name)
    for (const name of [
      'POST /ingest/:source',
      'GET /api/v1/edges',
      'GET /metrics',
      'cinch.commit',
      'cinch.job pair_spans',
    ])
      expect(names).toContain(name)
    const all = metricsOf(received['/v1/metrics'] ?? [])
    expect(all.get('cinch.ingest.accepted')).toMatchObject({ unit: '{item}', value: 1 })
    expect(all.get('cinch.ingest.rejected')).toMatchObject({ value: 1 })
    expect([...all.keys()]).toEqual(
      expect.arrayContaining([
        'cinch.ingest.batch.size',
        'cinch.ingest.insert.duration',
        'http.server.request.duration',
        'process.memory.usage',
        'cinch.spool.size',
      ]),
    )
    const everything = Object.values(received).flat().join('\n')
    expect(everything).toContain('"service.name"')
    expect(everything).toContain('deployment.environment.name')
    for (const secret of [served.token, 'hunter2', 'alice@example.com', 'hidden-query', room.dir, 'process.command'])
      expect(everything).not.toContain(secret)
  }, 60_000)
})

test('without one, the SDK is not even loaded', () => {
  expect(modulesLoaded({})).toBe(0)
  expect(modulesLoaded({ OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })).toBe(0)
  expect(modulesLoaded({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })).toBeGreaterThan(10)
})

/** How many of the SDK's modules a process loads that opens telemetry in this environment. */
function modulesLoaded(env: Record<string, string>): number {
  const telemetry = new URL('../../services/telemetry/telemetry.ts', import.meta.url).href
  const script = `import { registerHooks } from 'node:module'
    const urls = new Set()
    registerHooks({ load: (url, context, next) => { urls.add(url); return next(url, context) } })
    const { openTelemetry } = await import(${JSON.stringify(telemetry)})
    await openTelemetry(${JSON.stringify(env)})
    console.log([...urls].filter((url) => url.includes('/@opentelemetry/')).length)
    process.exit()`
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  return Number(ran.stdout)
}

interface ExportedSpan {
  name: string
}

function spansOf(bodies: string[]): ExportedSpan[] {
  return bodies.flatMap((body) =>
    JSON.parse(body).resourceSpans.flatMap((resource: { scopeSpans: { spans: ExportedSpan[] }[] }) =>
      resource.scopeSpans.flatMap(({ spans }) => spans),
    ),
  )
}

/** The last value of each metric. */
function metricsOf(bodies: string[]): Map<string, { unit: string; value: number }> {
  const all = new Map<string, { unit: string; value: number }>()
  for (const body of bodies)
    for (const { scopeMetrics } of JSON.parse(body).resourceMetrics)
      for (const { metrics } of scopeMetrics)
        for (const { name, unit, sum, gauge } of metrics) {
          const point = (sum ?? gauge)?.dataPoints?.at(-1)
          all.set(name, { unit, value: Number(point?.asInt ?? point?.asDouble) })
        }
  return all
}
