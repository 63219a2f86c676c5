import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type ClientWritableStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fieldHead, fieldsOf } from '../../../services/collector/receivers/wire.ts'
import { type Fields, httpEntry, ORDERS, pair, stream as streamElement } from '../sources-envoy/encode.ts'
import { openReceivers, type TestReceivers } from './support.ts'

/*
 * What a real Envoy sent (`sources/envoy-als/samples`), as it sends it: a stream whose first message says who it is, and
 * entries in messages of their own. The facts are those that the source expects of the same samples.
 */
const SOURCE = join(import.meta.dirname, '../../../services/collector/sources/envoy-als')
const SAMPLES = ['default', 'recommended'].map((name) => readFileSync(join(SOURCE, `samples/${name}.binpb`)))

let receivers: TestReceivers
beforeAll(async () => {
  receivers = await openReceivers('als', { answerWithinMs: 60_000 })
})
afterAll(async () => {
  expect(receivers.faults).toEqual([])
  await receivers.close()
})

interface Sent {
  identifier: Buffer
  /** One message for each entry. */
  messages: Buffer[]
}

/** The streams of a sample. */
function streamsOf(sample: Buffer): Sent[] {
  return fieldsOf(sample)!.map(({ from, to }) => {
    const stream = sample.subarray(from, to)
    const fields = fieldsOf(stream)!
    const identifier = fields.find(({ number }) => number === 1)!
    const entries = fields.filter(({ number }) => number === 2 || number === 3)
    return {
      identifier: stream.subarray(identifier.start, identifier.to),
      messages: entries.flatMap((kind) =>
        fieldsOf(stream, kind.from, kind.to)!.map((entry) => {
          const bytes = stream.subarray(entry.start, entry.to)
          return Buffer.concat([fieldHead(kind.number, bytes.length), bytes])
        }),
      ),
    }
  })
}

/** One message of the service, as it comes: without the envelope of `AlsBatch`. */
function wireMessage(node: Fields, entries: Fields[]): Buffer {
  const element = streamElement(entries, 'http', node)
  const [field] = fieldsOf(element)!
  return element.subarray(field!.from, field!.to)
}

const asIs = (bytes: Buffer) => bytes

/** Opens a stream; resolves with its status when it ends. */
function open(token: string): { stream: ClientWritableStream<Buffer>; ended: Promise<status>; close(): void } {
  const client = new Client(receivers.grpc, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  const { promise: ended, resolve } = Promise.withResolvers<status>()
  const path = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs'
  const stream = client.makeClientStreamRequest(path, asIs, asIs, metadata, (error: ServiceError | null) =>
    resolve(error?.code ?? status.OK),
  )
  stream.on('error', () => {})
  return { stream, ended, close: () => client.close() }
}

async function send(token: string, { identifier, messages }: Sent): Promise<void> {
  const { stream, ended, close } = open(token)
  for (const [index, message] of messages.entries())
    stream.write(index === 0 ? Buffer.concat([identifier, message]) : message)
  stream.end()
  expect(await ended).toBe(status.OK)
  close()
}

const facts = (sender: string) =>
  receivers.rows(
    `SELECT method, path, status, toString(protocol) AS protocol FROM request WHERE sender = {sender:String} ORDER BY ALL`,
    { sender },
  )

const entriesOf = (samples: Buffer[]) =>
  samples.flatMap(streamsOf).reduce((sum, { messages }) => sum + messages.length, 0)

test('entries of real streams are the facts that are expected of them', async () => {
  const expected = readFileSync(join(SOURCE, 'expected.jsonl'), 'utf8').trim().split('\n')
  const token = await receivers.register('envoys', ['envoy-als'])
  await Promise.all(streamsOf(SAMPLES[1]!).map((stream) => send(token, stream)))
  const [counts] = await receivers.rows<{ a: number; r: number }>(
    "SELECT sum(accepted) AS a, sum(rejected) AS r FROM ingest_batch WHERE sender = 'envoys'",
  )
  expect(counts!.a + counts!.r).toBe(entriesOf([SAMPLES[1]!]))
  const wanted = expected
    .map((line) => JSON.parse(line) as { method?: string; path?: string; status?: number; protocol?: string })
    .map(({ method = '', path = '', status: code = 0, protocol }) => JSON.stringify([method, path, code, protocol]))
  const found = (await facts('envoys')).map((row) =>
    JSON.stringify([row['method'], row['path'], row['status'], row['protocol']]),
  )
  expect(found.sort()).toEqual(wanted.sort())
  expect(receivers.spooled()).toEqual([])
})

test('an open stream’s entries are stored while it is open, and equal ones count each time: Envoy never repeats', async () => {
  const token = await receivers.register('open', ['envoy-als'])
  const [first] = streamsOf(SAMPLES[1]!)
  const { stream, ended, close } = open(token)
  const [message] = first!.messages
  stream.write(Buffer.concat([first!.identifier, message!]))
  await expect.poll(async () => (await facts('open')).length, { timeout: 20_000 }).toBe(1)
  stream.write(message!)
  await expect.poll(async () => (await facts('open')).length, { timeout: 20_000 }).toBe(2)
  stream.end()
  expect(await ended).toBe(status.OK)
  close()
})

test('a stream that breaks off: what was read is stored, the rest was never taken, and nothing is left in memory', async () => {
  const token = await receivers.register('broken', ['envoy-als'])
  const [first] = streamsOf(SAMPLES[1]!)
  const { stream, ended, close } = open(token)
  for (let index = 0; index < 50; index++)
    stream.write(index === 0 ? Buffer.concat([first!.identifier, first!.messages[0]!]) : first!.messages[0]!)
  await expect.poll(() => receivers.gatherer.state().waitingBytes > 0, { interval: 1 }).toBe(true)
  await sleep(20)
  stream.cancel()
  expect(await ended).toBe(status.CANCELLED)
  close()
  const idle = { waitingBytes: 0, spooledBytes: 0, spooledChunks: 0, isStalled: false }
  await expect.poll(() => receivers.gatherer.state(), { timeout: 20_000 }).toEqual(idle)
  const stored = (await facts('broken')).length
  expect(stored).toBeGreaterThan(0)
  expect(stored).toBeLessThanOrEqual(50)
  expect(receivers.counted.get('dropped als broken')).toBeUndefined()
})

test.each([
  ['does not say who it is', (sent: Sent) => sent.messages[0]!],
  ['is garbage', () => Buffer.from([0xff, 0xff, 0xff])],
  [
    'has an identifier of 100 kB',
    (sent: Sent) => Buffer.concat([fieldHead(1, 100_000), Buffer.alloc(100_000), sent.messages[0]!]),
  ],
])('a stream that %s is refused, and counted', async (_, make) => {
  const token = await receivers.register('odd', ['envoy-als'])
  const before = receivers.counted.get('dropped als odd') ?? 0
  const { stream, ended, close } = open(token)
  stream.write(make(streamsOf(SAMPLES[0]!)[0]!))
  expect(await ended).toBe(status.INVALID_ARGUMENT)
  expect(receivers.counted.get('dropped als odd')).toBe(before + 1)
  expect(receivers.gatherer.state().waitingBytes).toBe(0)
  close()
})

test('a node’s extensions are not kept; what Istio says of it is', async () => {
  const token = await receivers.register('istio', ['envoy-als'])
  const metadata = pair('WORKLOAD_NAME', [[3, 'ledger']])
  const extensions: Fields = Array.from({ length: 4000 }, (_, at) => [9, [[1, `envoy.filters.network.${at}`]]])
  const node: Fields = [...ORDERS, [3, [[1, metadata]]], ...extensions]
  const { stream, ended, close } = open(token)
  const element = wireMessage(node, [httpEntry({ path: '/kept' })])
  expect(element.length).toBeGreaterThan(100_000)
  stream.write(element)
  stream.end()
  expect(await ended).toBe(status.OK)
  expect(
    await receivers.rows(
      `SELECT path, destination_namespace, destination_workload FROM request WHERE sender = 'istio'`,
    ),
  ).toEqual([{ path: '/kept', destination_namespace: 'shop', destination_workload: 'ledger' }])
  close()
})

test('a stream of nobody is refused before anything of it is read', async () => {
  const { stream, ended, close } = open('nobody')
  stream.write(SAMPLES[0]!)
  expect(await ended).toBe(status.UNAUTHENTICATED)
  close()
})
