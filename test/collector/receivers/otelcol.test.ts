import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, query } from '../../../services/store/store.ts'
import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { type RunningCollector, startCollector } from '../../lab/otelcol/collector.ts'
import { collectorBinary } from '../../lab/otelcol/setup.ts'
import { scratch } from '../../support/cli.ts'
import { newStore } from '../../support/new-store.ts'
import { accessLine } from '../../support/telemetry.ts'
import { openTestKafka, type TestKafka } from '../kafka/support.ts'
import { request, traceRequest } from './requests.ts'
import { type ServedReceivers, serveReceivers } from './served.ts'

/*
 * The OpenTelemetry Collector itself sends to Cinch as it is run: each of its exporters with a token, and so a sender, of its own,
 * its batches of 8,192, its retries against a quota that is too small for its pace, and its messages in Kafka.
 */
const REQUESTS = 60
const SPANS = 500
const LINES = 18_000
/** A batch of 8,192 of these spans is some 0.8 MB, so each sender is told to come again, several times. */
const QUOTA = 700_000
const TOPICS = ['otlp_proto', 'otlp_json'] as const
/** 8,192 spans are 0.8 MB of protobuf and 2.5 MB of JSON; the exporter and Kafka refuse more than 1 MB by default. */
const MESSAGE_BYTES_MAX = 8_000_000
const SENDERS = [
  'http-gzip',
  'http-zstd',
  'http-json',
  'grpc-gzip',
  'logs-http',
  'logs-grpc',
  'otlp-proto',
  'otlp-json',
]

const room = scratch('otelcol')
let kafka: TestKafka
let served: ServedReceivers
let collector: RunningCollector

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

/** The Collector's configuration: spans come in over OTLP, log lines from a file, and all go out by each exporter. */
function configuration(otlpPort: number, token: Record<string, string>): object {
  const headers = (sender: string) => ({ authorization: `Bearer ${token[sender]}` })
  const retry = { retry_on_failure: { initial_interval: '100ms', max_elapsed_time: '120s' } }
  const http = (sender: string, more: object) => ({
    endpoint: served.http,
    headers: headers(sender),
    ...retry,
    ...more,
  })
  const grpc = (sender: string, more: object) => ({
    endpoint: served.grpc,
    headers: headers(sender),
    tls: { insecure: true },
    ...retry,
    ...more,
  })
  const topic = (encoding: string) => ({
    brokers: [kafka.broker.bootstrap],
    traces: { topic: encoding, encoding },
    producer: { max_message_bytes: MESSAGE_BYTES_MAX },
  })
  return {
    receivers: {
      otlp: { protocols: { http: { endpoint: `127.0.0.1:${otlpPort}` } } },
      filelog: { include: [room.path('access.log')], start_at: 'beginning', poll_interval: '100ms' },
    },
    processors: { batch: { send_batch_size: 8192, send_batch_max_size: 8192, timeout: '1s' } },
    exporters: {
      'otlp_http/gzip': http('http-gzip', { compression: 'gzip' }),
      'otlp_http/zstd': http('http-zstd', { compression: 'zstd' }),
      'otlp_http/json': http('http-json', { encoding: 'json' }),
      'otlp_grpc/gzip': grpc('grpc-gzip', { compression: 'gzip' }),
      'otlp_http/logs': http('logs-http', {}),
      'otlp_grpc/logs': grpc('logs-grpc', {}),
      'kafka/proto': topic('otlp_proto'),
      'kafka/json': topic('otlp_json'),
    },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: {
        traces: {
          receivers: ['otlp'],
          processors: ['batch'],
          exporters: [
            'otlp_http/gzip',
            'otlp_http/zstd',
            'otlp_http/json',
            'otlp_grpc/gzip',
            'kafka/proto',
            'kafka/json',
          ],
        },
        logs: { receivers: ['filelog'], processors: ['batch'], exporters: ['otlp_http/logs', 'otlp_grpc/logs'] },
      },
    },
  }
}

describe.runIf(collectorBinary() !== undefined && kafkaClassPath() !== undefined)('the OpenTelemetry Collector', () => {
  beforeAll(async () => {
    kafka = await openTestKafka()
    const configEntries = [{ name: 'max.message.bytes', value: String(MESSAGE_BYTES_MAX) }]
    await kafka.admin.createTopics({ waitForLeaders: true, topics: TOPICS.map((topic) => ({ topic, configEntries })) })
    const topics = TOPICS.map(
      (name) => `${name}: { source: otlp-traces, framing: ${name}, sender: ${name.replace('_', '-')} }`,
    )
    writeFileSync(
      room.path('kafka.yaml'),
      `brokers: ['${kafka.broker.bootstrap}']\ntopics:\n  ${topics.join('\n  ')}\n`,
    )
    const args = ['--kafka', room.path('kafka.yaml'), '--quota-bytes-per-second', String(QUOTA)]
    served = await serveReceivers(newStore(room.path('store')), args)
    const token: Record<string, string> = {}
    for (const sender of SENDERS)
      token[sender] = await served.register(sender, [sender.startsWith('logs') ? 'otlp-logs' : 'otlp-traces'])
    const port = await freePort()
    writeFileSync(room.path('access.log'), '')
    collector = await startCollector(room.dir, configuration(port, token))
    for (let index = 0; index < REQUESTS; index++) {
      const sent = await request(`http://127.0.0.1:${port}/v1/traces`, traceRequest(`otelcol ${index}`, SPANS))
      expect(sent.status).toBe(200)
      appendFileSync(
        room.path('access.log'),
        Array.from({ length: LINES / REQUESTS }, (_, line) => `${accessLine({ path: `/${index}/${line}` })}\n`).join(
          '',
        ),
      )
    }
  }, 120_000)
  afterAll(async () => {
    await collector?.stop()
    if (served?.child.exitCode === null) await served.stop('SIGKILL')
    await kafka?.close()
    room.close()
  })

  test('everything that it was given is stored once by each of its ways, though it was told to wait', async () => {
    const metrics = async () => (await (await served.get('/metrics')).text()).split('\n')
    const figure = async (name: string, sender: string) => {
      const line = (await metrics()).find((text) => text.startsWith(`${name}{`) && text.includes(`sender="${sender}"`))
      return Number(line?.split(' ').at(-1) ?? 0)
    }
    const spans = REQUESTS * SPANS
    const expected = SENDERS.map((sender) => [sender, sender.startsWith('logs') ? LINES : spans] as const)
    for (const [sender, records] of expected)
      await expect
        .poll(() => figure('cinch_ingest_accepted_total', sender), { timeout: 60_000, interval: 500, message: sender })
        .toBe(records)
    // One each of 429 with Retry-After and of RESOURCE_EXHAUSTED with RetryInfo: the Collector waited for as long as it was told to.
    for (const sender of ['http-json', 'logs-http', 'logs-grpc'])
      expect(await figure('cinch_ingest_delayed_total', sender), sender).toBeGreaterThan(0)
    expect(collector.log()).toMatch(/otlp_http\/json[^\n]*Throttle \(\d/)
    expect(collector.log()).toMatch(/otlp_grpc\/logs[^\n]*Throttle \([\d.]+m?s\)/)
    expect(collector.log()).not.toContain('Dropping data')

    expect(await served.stop()).toEqual({ code: 0, signal: null })
    const store = await openStore({ kind: 'chdb', dir: room.path('store') })
    try {
      const stored = [
        ...(await query(
          store.reads,
          'SELECT sender, count() AS n, uniqExact(span_key) AS keys FROM span GROUP BY sender',
        )),
        ...(await query(
          store.reads,
          'SELECT sender, count() AS n, uniqExact(path) AS keys FROM request GROUP BY sender',
        )),
      ] as { sender: string }[]
      const wanted = expected.map(([sender, n]) => ({ sender, n, keys: n }))
      const sorted = (rows: { sender: string }[]) => rows.sort((a, b) => a.sender.localeCompare(b.sender))
      expect(sorted(stored)).toEqual(sorted(wanted))
      expect(await query(store.reads, 'SELECT count() AS n FROM rejected_line')).toEqual([{ n: 0 }])
    } finally {
      await store.close()
    }
  }, 300_000)
})
