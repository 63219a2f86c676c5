import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore, query } from '../../../services/store/store.ts'
import { scratch } from '../../support/cli.ts'
import { newStore } from '../../support/new-store.ts'
import { accessLine } from '../../support/telemetry.ts'
import { seeded } from '../lines.ts'
import { toProtobuf } from '../otlp.ts'
import { filesBelow } from '../support.ts'
import { call, EXPORT_TRACES } from './grpc.ts'
import { request, spansOf, traceRequest } from './requests.ts'
import { type ServedReceivers, serveReceivers } from './served.ts'

/*
 * Cinch as it is run, in a process of its own, and senders that mean it ill on each of its ports. What is asserted after each:
 * telemetry of others is stored, and the process keeps to the memory that receivers/README.md states.
 */
const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 11)
const PIECES = 60
const CONNECTIONS = Number(process.env['CINCH_CONNECTIONS'] ?? 10_000)
const MIB = 1 << 20
/** The bounds of receivers/README.md: what a process takes beyond what it took idle. */
const MEMORY_MAX = 2048 * MIB
const CONNECTION_BYTES_MAX = 48 << 10

const room = scratch('hostile')
const random = seeded(SEED)
const noise = (most: number, from = random) =>
  Buffer.from(Array.from({ length: 1 + from() * most }, () => from() * 256))
let served: ServedReceivers
let headers: { authorization: string }
let idle = 0
/** What was acknowledged. */
const acknowledged = { spans: 0, lines: 0 }

/** Brokers that are none: each answers whatever comes with garbage, or with the promise of two gigabytes. */
const sockets = new Set<Socket>()
const brokers = Array.from({ length: 2 }, (_, index) => {
  const own = seeded(SEED + 1 + index)
  return createServer((socket) => {
    sockets.add(socket)
    const garbage =
      index === 0 ? noise(200, own) : Buffer.concat([Buffer.from('7fffffff', 'hex'), noise(64 << 10, own)])
    socket.on('error', () => {}).on('data', () => socket.write(garbage))
  })
})

beforeAll(async () => {
  const kafka = await Promise.all(
    brokers.map(async (broker, index) => {
      broker.listen(0, '127.0.0.1')
      await once(broker, 'listening')
      const file = room.path(`kafka-${index}.yaml`)
      const { port } = broker.address() as AddressInfo
      const topic = '{ source: istio-json, framing: lines, sender: shop }'
      writeFileSync(file, `brokers: ['127.0.0.1:${port}']\ntopics: { lines: ${topic} }\n`)
      return ['--kafka', file]
    }),
  )
  served = await serveReceivers(newStore(room.path('store')), kafka.flat())
  const sources = ['otlp-traces', 'otlp-logs', 'otlp-metrics', 'envoy-als', 'istio-json', 'istio-metrics']
  headers = { authorization: `Bearer ${await served.register('shop', sources)}` }
  await works()
  idle = served.memory().now
})
afterAll(() => {
  for (const broker of brokers) broker.close()
  if (served?.child.exitCode === null) served.child.kill('SIGKILL')
  room.close()
})

/** A request each way is stored. */
async function works(): Promise<void> {
  const name = () => `works ${acknowledged.spans}`
  expect((await request(`${served.http}/v1/traces`, traceRequest(name(), 3), headers)).status).toBe(200)
  acknowledged.spans += 3
  await call(served.grpc, traceRequest(name(), 3), headers)
  acknowledged.spans += 3
  const line = accessLine({ path: `/works/${acknowledged.lines}` })
  expect((await request(`${served.url}/ingest/istio-json`, line, { ...headers, 'content-type': '' })).status).toBe(200)
  acknowledged.lines += 1
}

const within = () => expect((served.memory().most - idle) / MIB).toBeLessThan(MEMORY_MAX / MIB)

async function open(address: string): Promise<Socket> {
  const { hostname, port } = new URL(address.includes('://') ? address : `http://${address}`)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Beginnings that make the other end go on reading. */
const openings = () =>
  [
    '',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
    `POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.authorization}\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `POST /ingest/istio-json HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.authorization}\r\nContent-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n`,
    'GET / HTTP/1.1\r\nX: ',
  ].map((text) => Buffer.from(text, 'latin1'))

test(`garbage into the sockets of every port (seed ${SEED})`, async () => {
  const pieces = Array.from({ length: PIECES }, (_, index) => {
    const opening = openings()[index % openings().length] ?? Buffer.alloc(0)
    return Buffer.concat([opening, noise(20_000)])
  })
  for (const address of [served.url, served.http, served.grpc])
    await Promise.all(
      pieces.map(async (bytes) => {
        const socket = await open(address)
        socket.end(bytes)
        socket.resume()
        await Promise.race([once(socket, 'close'), sleep(2000)])
        socket.destroy()
      }),
    )
  await works()
  within()
}, 60_000)

test(`garbage, halves and mutants as the body of every route and service (seed ${SEED})`, async () => {
  const whole = traceRequest('half', 30)
  const bodies = Array.from({ length: PIECES }, (_, index) => {
    if (index % 3 === 0) return noise(5000)
    const half = Buffer.from(whole.subarray(0, 1 + random() * (whole.length - 2)))
    // A cut, and a length that says more than there is.
    if (index % 3 === 2) half[Math.floor(random() * half.length)] = 0xff
    return half
  })
  const routes = ['traces', 'logs', 'metrics'].map((signal) => `${served.http}/v1/${signal}`)
  const types = ['application/x-protobuf', 'application/json']
  const posts = [
    ...routes.flatMap((url) => types.map((type) => ({ url, more: { 'content-type': type } }))),
    { url: `${served.http}/v1/traces`, more: { 'content-encoding': 'gzip' } },
    { url: `${served.url}/api/v1/write`, more: { 'content-encoding': 'snappy' } },
    { url: `${served.url}/ingest/otlp-traces`, more: { 'content-type': '' } },
  ]
  const services = [
    EXPORT_TRACES,
    '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
  ]
  const answers = new Map<number | string, number>()
  const count = (answer: number | string) => answers.set(answer, (answers.get(answer) ?? 0) + 1)
  for (const body of bodies)
    await Promise.all([
      ...posts.map(async ({ url, more }) => count((await request(url, body, { ...headers, ...more })).status)),
      ...services.map(async (path) => {
        const ended = call(served.grpc, body, headers, undefined, path)
        count(
          await ended.then(
            () => 'OK',
            ({ code }) => status[code] ?? String(code),
          ),
        )
      }),
    ])
  // Some bytes are a request by chance, of nothing or of what is then rejected; none is a fault of ours, or takes another along.
  expect(
    [...answers.keys()].filter((answer) => ![200, 204, 400, 413, 'OK', 'INVALID_ARGUMENT'].includes(answer)),
  ).toEqual([])
  expect(answers.get(400)).toBeGreaterThan(PIECES)
  expect(answers.get('INVALID_ARGUMENT')).toBeGreaterThan(PIECES)
  expect(served.stderr()).not.toContain('a receiver failed')
  await works()
  within()
}, 120_000)

test(`${CONNECTIONS} connections`, async () => {
  const before = served.memory().now
  const idleOnes: Socket[] = []
  const addresses = [served.http, served.grpc, served.url]
  for (let index = 0; index < CONNECTIONS; index += 200)
    idleOnes.push(...(await Promise.all(Array.from({ length: 200 }, (_, at) => open(addresses[at % 3] ?? '')))))
  await works()
  expect(served.memory().now - before).toBeLessThan(CONNECTIONS * CONNECTION_BYTES_MAX)
  for (const socket of idleOnes) socket.destroy()
  await works()
}, 120_000)

/** A request of some 63 MiB: as large as one may be, and not as quick to decode as zeros. */
function largest(name: string): { bytes: Buffer; spans: number } {
  const spans = 630
  const padding = Buffer.from(Array.from({ length: 75_000 }, () => random() * 256)).toString('base64')
  const [resource] = spansOf(name, spans)
  for (const span of resource!.spans) span.attributes = { padding }
  return { bytes: toProtobuf([resource!]), spans }
}

test('six requests of 63 MiB and six bombs at the same time: each is stored once or refused, within the bound', async () => {
  const gzip = { 'content-encoding': 'gzip' }
  const bomb = gzipSync(Buffer.alloc(400 * MIB), { level: 1 })
  const url = `${served.http}/v1/traces`
  await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const { bytes, spans } = largest(`large ${index}`)
      expect(bytes.length).toBeGreaterThan(60 * MIB)
      const packed = gzipSync(bytes, { level: 1 })
      const exploded = await request(url, bomb, { ...headers, ...gzip }).catch(() => undefined)
      expect([undefined, 413, 503]).toContain(exploded?.status)
      for (;;) {
        const answer = await request(url, packed, { ...headers, ...gzip })
        if (answer.status === 200) break
        expect([429, 503]).toContain(answer.status)
        await sleep(Number(answer.headers['retry-after']) * 200)
      }
      acknowledged.spans += spans
    }),
  )
  await works()
  within()
}, 120_000)

test('senders over gRPC that stall in their message hold up nobody', async () => {
  const { Client, credentials, Metadata } = await import('@grpc/grpc-js')
  const asIs = (bytes: Buffer) => bytes
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${await served.register('stalled', ['otlp-traces'])}`)
  const clients = Array.from({ length: 60 }, () => new Client(served.grpc, credentials.createInsecure()))
  for (const client of clients)
    client.makeClientStreamRequest(EXPORT_TRACES, asIs, asIs, metadata, () => {}).on('error', () => {})
  await sleep(1000)
  const started = performance.now()
  await works()
  expect(performance.now() - started).toBeLessThan(10_000)
  for (const client of clients) client.close()
  within()
}, 60_000)

test('brokers that answer with garbage, meanwhile, are told of and cost nothing', async () => {
  // The client tries a broker for a while before it says what is wrong with it.
  await expect.poll(() => served.stderr(), { timeout: 60_000 }).toContain('what it says is not the protocol of Kafka')
  within()
  // They go away: an answer that never comes would be waited for at the end.
  for (const broker of brokers) broker.close()
  for (const socket of sockets) socket.destroy()
}, 90_000)

test('and at its end all that was acknowledged is stored, once, and nothing is left', async () => {
  expect(await served.stop()).toEqual({ code: 0, signal: null })
  expect(filesBelow(room.path('store', 'spool'))).toEqual([])
  const store = await openStore({ kind: 'chdb', dir: room.path('store') })
  try {
    const count = (table: string, key: string) =>
      query(store.reads, `SELECT count() AS n, uniqExact(${key}) AS keys FROM ${table} WHERE sender = 'shop'`)
    expect(await count('span', 'span_key')).toEqual([{ n: acknowledged.spans, keys: acknowledged.spans }])
    expect(await count('request', 'path')).toEqual([{ n: acknowledged.lines, keys: acknowledged.lines }])
  } finally {
    await store.close()
  }
}, 60_000)
