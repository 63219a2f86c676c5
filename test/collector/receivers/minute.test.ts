import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { createClient } from '@clickhouse/client'
import { type ServiceError, status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { startTestServer } from '../../store/start-server.ts'
import { scratch } from '../../support/cli.ts'
import { accessLine } from '../../support/telemetry.ts'
import { openTestKafka, send, type TestKafka } from '../kafka/support.ts'
import { filesBelow } from '../support.ts'
import { type Cable, cable } from './cable.ts'
import { call } from './grpc.ts'
import { request, traceRequest } from './requests.ts'
import { type ServedReceivers, serveReceivers } from './served.ts'

/*
 * Cinch as it is run, its store on a server that is away for a whole minute while every way in goes on sending: OTLP over HTTP and
 * gRPC with the SDK's batches of 512, lines over HTTP, and a topic of Kafka. Its bounds are its own.
 */
const AWAY_MS = Number(process.env['CINCH_AWAY_MS'] ?? 60_000)
const SPANS = 512
const LINES = 200
const MIB = 1 << 20
/** As stated in receivers/README.md: what a process takes beyond what it took idle. */
const MEMORY_MAX = 768 * MIB

/** What each way in was acknowledged, and how often it was told to come again. */
const tally = { http: 0, grpc: 0, lines: 0, kafka: 0, again: 0 }
let isOver = false

/** Sends one request after another, each until it is taken. */
async function keepSending(way: 'http' | 'grpc' | 'lines', name: string, attempt: (name: string) => Promise<boolean>) {
  for (let index = 0; !isOver; index++) {
    while (!(await attempt(`${name} ${index}`))) {
      tally.again++
      await sleep(200)
    }
    tally[way]++
  }
}

async function overHttp({ http }: ServedReceivers, headers: Record<string, string>, name: string): Promise<boolean> {
  const body = gzipSync(traceRequest(name, SPANS), { level: 1 })
  const answer = await request(`${http}/v1/traces`, body, { ...headers, 'content-encoding': 'gzip' })
  return isTaken(answer)
}

async function overGrpc({ grpc }: ServedReceivers, headers: Record<string, string>, name: string): Promise<boolean> {
  const failure = await call(grpc, traceRequest(name, SPANS), headers).then(
    () => undefined,
    (error: ServiceError) => error,
  )
  if (failure) expect([status.UNAVAILABLE, status.RESOURCE_EXHAUSTED]).toContain(failure.code)
  return failure === undefined
}

const linesOf = (name: string) => Array.from({ length: LINES }, (_, line) => accessLine({ path: `/${name}/${line}` }))

async function asLines({ url }: ServedReceivers, headers: Record<string, string>, name: string): Promise<boolean> {
  const body = linesOf(name.replaceAll(' ', '-')).join('\n')
  return isTaken(await request(`${url}/ingest/istio-json`, body, { ...headers, 'content-type': 'text/plain' }))
}

function isTaken({ status: code, headers }: Awaited<ReturnType<typeof request>>): boolean {
  if (code === 200) return true
  expect([429, 503]).toContain(code)
  expect(Number(headers['retry-after'])).toBeGreaterThan(0)
  return false
}

async function toKafka(kafka: TestKafka): Promise<void> {
  for (; !isOver; tally.kafka++) {
    await send(kafka, 'lines', linesOf(`kafka-${tally.kafka}`))
    await sleep(250)
  }
}

/**
 * The producer is idempotent: what it sends again because it heard nothing stands on the topic once. A broker that stood still for
 * 33 seconds had 400 messages of a plain producer that was given 200: kafkajs asks again after 30.
 */
async function topicIsStored({ admin }: TestKafka, ofTopic: () => Promise<number>): Promise<void> {
  const partitions = await admin.fetchTopicOffsets('lines')
  expect(partitions.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0)).toBe(tally.kafka * LINES)
  await expect.poll(ofTopic, { timeout: 60_000 }).toBe(tally.kafka * LINES)
}

const TWICE = 'SELECT sender, path, count() AS n FROM request GROUP BY sender, path HAVING n > 1 ORDER BY path LIMIT 5'

test('a store that is away for a minute while everybody sends', async () => {
  const room = scratch('minute')
  const server = await startTestServer(room.path('server'))
  const stored = createClient({ url: server.url })
  const kafka = kafkaClassPath() === undefined ? undefined : await openTestKafka({ idempotent: true })
  const args: string[] = []
  if (kafka) {
    await kafka.createTopic('lines')
    const topic = '{ source: istio-json, framing: lines, sender: topic }'
    writeFileSync(room.path('kafka.yaml'), `brokers: ['${kafka.broker.bootstrap}']\ntopics: { lines: ${topic} }\n`)
    args.push('--kafka', room.path('kafka.yaml'))
  }
  let line: Cable | undefined
  let served: ServedReceivers | undefined
  let workers: Promise<void>[] = []
  try {
    line = await cable(server.url)
    served = await serveReceivers(line.url, args, room.dir)
    const process = served
    await served.register('topic', ['istio-json'])
    const headers = { authorization: `Bearer ${await served.register('shop', ['otlp-traces', 'istio-json'])}` }
    const idle = served.memory().now
    workers = Array.from({ length: 8 }, (_, at) => [
      keepSending('http', `http ${at}`, (name) => overHttp(process, headers, name)),
      keepSending('grpc', `grpc ${at}`, (name) => overGrpc(process, headers, name)),
      keepSending('lines', `lines ${at}`, (name) => asLines(process, headers, name)),
    ]).flat()
    if (kafka) workers.push(toKafka(kafka))
    const count = async (sql: string) =>
      Number((await (await stored.query({ query: sql, format: 'JSONEachRow' })).json<{ n: string }>())[0]?.n)
    const ofTopic = () => count("SELECT count() AS n FROM request WHERE sender = 'topic'")
    await expect.poll(() => Math.min(tally.http, tally.grpc, tally.lines), { timeout: 30_000 }).toBeGreaterThan(8)
    if (kafka) await expect.poll(ofTopic, { timeout: 30_000 }).toBeGreaterThan(0)
    line.pull()
    await sleep(AWAY_MS / 4)
    const before = { ...tally }
    await sleep((AWAY_MS * 3) / 4)
    // Nothing is acknowledged that is not stored, and everybody is told so again and again.
    expect({ ...tally, kafka: 0, again: 0 }).toEqual({ ...before, kafka: 0, again: 0 })
    expect(tally.again - before.again).toBeGreaterThan(20)
    await line.putIn()
    const most = Math.min(before.http, before.grpc, before.lines) + 16
    await expect.poll(() => Math.min(tally.http, tally.grpc, tally.lines), { timeout: 60_000 }).toBeGreaterThan(most)
    isOver = true
    await Promise.all(workers)
    if (kafka) await topicIsStored(kafka, ofTopic)
    expect((served.memory().most - idle) / MIB).toBeLessThan(MEMORY_MAX / MIB)
    expect(await served.stop()).toEqual({ code: 0, signal: null })
    expect(filesBelow(room.path('.cinch', 'server', 'spool'))).toEqual([])
    const spans = (tally.http + tally.grpc) * SPANS
    expect(await count('SELECT count() AS n FROM span')).toBe(spans)
    expect(await count('SELECT uniqExact(span_key) AS n FROM span')).toBe(spans)
    expect(await (await stored.query({ query: TWICE, format: 'JSONEachRow' })).json()).toEqual([])
    const lines = (tally.lines + tally.kafka) * LINES
    expect(await count('SELECT count() AS n FROM request')).toBe(lines)
    expect(await count('SELECT uniqExact(path) AS n FROM request')).toBe(lines)
    expect(await count('SELECT sum(requests) AS n FROM operation_usage')).toBe(lines)
    expect(await count('SELECT sum(accepted) AS n FROM ingest_batch')).toBe(spans + lines)
  } finally {
    isOver = true
    await Promise.allSettled(workers)
    if (served?.child.exitCode === null) served.child.kill('SIGKILL')
    line?.close()
    await stored.close()
    await kafka?.close()
    await server.stop()
    room.close()
  }
}, 300_000)
