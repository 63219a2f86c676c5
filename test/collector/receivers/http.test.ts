import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toJson, toProtobuf } from '../otlp.ts'
import { protobufStatus, request, spansOf, traceRequest } from './requests.ts'
import { openReceivers, type TestReceivers } from './support.ts'

const MIB = 1 << 20
let receivers: TestReceivers
let token: string
beforeAll(async () => {
  // Nobody gives up here, however busy the machine is.
  receivers = await openReceivers('otlp-http', { answerWithinMs: 60_000 })
  token = await receivers.register('shop', ['otlp-traces'])
})
afterAll(async () => {
  expect(receivers.faults).toEqual([])
  await receivers.close()
})

const post = (body: Uint8Array | string, headers: Record<string, string> = {}, path = '/v1/traces') =>
  request(`${receivers.http}${path}`, body, { authorization: `Bearer ${token}`, ...headers })

describe('what is asked for', () => {
  test.each([
    ['another path', '/v1/profiles', 'POST', {}, 404],
    ['another method', '/v1/traces', 'PUT', {}, 405],
    ['no type', '/v1/traces', 'POST', { 'content-type': '' }, 415],
    ['text', '/v1/traces', 'POST', { 'content-type': 'text/plain' }, 415],
    ['an unknown packing', '/v1/traces', 'POST', { 'content-encoding': 'br' }, 415],
  ])('%s', async (_, path, method, headers, status) => {
    const answer = await request(
      `${receivers.http}${path}`,
      'x',
      { authorization: `Bearer ${token}`, ...headers },
      method,
    )
    expect(answer.status).toBe(status)
    expect(protobufStatus(answer.body).message).not.toBe('')
  })

  test('an answer comes in the type of the request', async () => {
    const json = await post('{', { 'content-type': 'application/json; charset=utf-8' })
    expect(json).toMatchObject({ status: 400, headers: { 'content-type': 'application/json' } })
    expect(JSON.parse(json.body.toString())).toMatchObject({ code: 3, message: expect.stringContaining('JSON') })
    const protobuf = await post('{')
    expect(protobuf).toMatchObject({ status: 400, headers: { 'content-type': 'application/x-protobuf' } })
    expect(protobufStatus(protobuf.body)).toMatchObject({ code: 3, message: expect.stringContaining('protobuf') })
  })

  test('nothing in it is fine', async () => {
    expect(await post('')).toMatchObject({ status: 200, body: Buffer.alloc(0) })
    const json = await post('{}', { 'content-type': 'application/json' })
    expect({ status: json.status, body: json.body.toString() }).toEqual({ status: 200, body: '{}' })
  })

  test('plain, gzip and zstd, protobuf and JSON', async () => {
    const before = await receivers.spans('shop')
    const packings = [
      ['identity', (bytes: Buffer) => bytes],
      ['gzip', gzipSync],
      ['zstd', zstdCompressSync],
    ] as const
    for (const [index, [packing, pack]] of packings.entries()) {
      const headers = { 'content-encoding': packing }
      expect((await post(pack(toProtobuf(spansOf(`p${index}`, 3))), headers)).status).toBe(200)
      const json = Buffer.from(JSON.stringify(JSON.parse(toJson(spansOf(`j${index}`, 3))), null, 2))
      expect((await post(pack(json), { ...headers, 'content-type': 'application/json' })).status).toBe(200)
    }
    expect((await receivers.spans('shop')).spans - before.spans).toBe(18)
  })
})

describe('what is too much or damaged', () => {
  test.each([
    ['65 MiB', () => Buffer.alloc(65 * MIB), {}],
    ['65 MiB that do not say so', () => Buffer.alloc(65 * MIB), { 'transfer-encoding': 'chunked' }],
    ['gzip of 65 MiB', () => gzipSync(Buffer.alloc(65 * MIB)), { 'content-encoding': 'gzip' }],
    ['a bomb of 400 MiB in gzip', () => gzipSync(Buffer.alloc(400 * MIB)), { 'content-encoding': 'gzip' }],
    ['a bomb of 400 MiB in zstd', () => zstdCompressSync(Buffer.alloc(400 * MIB)), { 'content-encoding': 'zstd' }],
  ])('%s is refused with 413, or the connection ends while it still comes', async (_, make, headers) => {
    const answer = await post(make(), headers as Record<string, string>).catch((error: Error) => error)
    if (answer instanceof Error) expect(String(answer)).toMatch(/EPIPE|ECONNRESET|hang up/)
    else expect(answer.status).toBe(413)
    expect(receivers.gatherer.state().waitingBytes).toBe(0)
    expect((await post(toProtobuf(spansOf(`after ${_}`, 1)))).status).toBe(200)
  })

  test.each([
    ['half a gzip', () => gzipSync(toProtobuf(spansOf('half', 50))).subarray(0, 100), { 'content-encoding': 'gzip' }],
    ['no gzip', () => Buffer.from('no gzip'), { 'content-encoding': 'gzip' }],
    ['no zstd', () => Buffer.from('no zstd'), { 'content-encoding': 'zstd' }],
    ['half a request', () => toProtobuf(spansOf('half', 3)).subarray(0, 200), {}],
    ['text', () => Buffer.from('GET / HTTP/1.1'), {}],
  ])('%s is refused with 400', async (_, make, headers) => {
    expect((await post(make(), headers as Record<string, string>)).status).toBe(400)
    expect(receivers.gatherer.state().waitingBytes).toBe(0)
  })

  test('a request that is damaged inside a span gets 400, and its neighbours in the chunk are stored', async () => {
    const other = await receivers.register('neighbours', ['otlp-traces'])
    const send = (body: Buffer) => request(`${receivers.http}/v1/traces`, body, { authorization: `Bearer ${other}` })
    const bodies = Array.from({ length: 12 }, (_, index) => traceRequest(`n${index}`, 10))
    const damaged = damageInside(traceRequest('bad', 10))
    const answers = await Promise.all([...bodies.slice(0, 6), damaged, ...bodies.slice(6)].map(send))
    expect(answers.map(({ status }) => status)).toEqual([...Array(6).fill(200), 400, ...Array(6).fill(200)])
    expect((await send(damaged)).status).toBe(400)
    expect(await receivers.spans('neighbours')).toMatchObject({ spans: 120, accepted: 120 })
    const rejects = await receivers.rows("SELECT reason FROM rejected_line WHERE sender = 'neighbours'")
    expect(rejects).toEqual([{ reason: 'malformed_protobuf' }])
    expect(receivers.spooled()).toEqual([])
  })
})

describe('partial success', () => {
  const bad = (name: string, good: number) => {
    const [resource] = spansOf(name, good + 2)
    for (const span of resource!.spans.slice(0, 2)) span.traceId = '0'.repeat(32)
    return [resource!]
  }

  test('says in protobuf how many were rejected', async () => {
    const { status, body } = await post(toProtobuf(bad('pb', 4)))
    expect(status).toBe(200)
    // ExportTraceServiceResponse { partial_success { rejected_spans: 2, error_message } }: two tags and lengths, and the text.
    expect([body[0], body[2], body[3]]).toEqual([0x0a, 0x08, 2])
    expect(body.toString()).toContain('2 records were rejected')
  })

  test('and in JSON', async () => {
    const { status, body } = await post(toJson(bad('json', 4)), { 'content-type': 'application/json' })
    expect(status).toBe(200)
    expect(JSON.parse(body.toString())).toEqual({
      partialSuccess: { rejectedSpans: '2', errorMessage: expect.stringContaining('cinch rejects') },
    })
  })
})

test('the same request is stored once, however often it comes and whether at once or later', async () => {
  const id = await receivers.register('stutter', ['otlp-traces'])
  const body = traceRequest('stutter', 7)
  const send = () => request(`${receivers.http}/v1/traces`, body, { authorization: `Bearer ${id}` })
  expect((await Promise.all(Array.from({ length: 10 }, send))).map(({ status }) => status)).toEqual(Array(10).fill(200))
  expect((await send()).status).toBe(200)
  expect(await receivers.spans('stutter')).toEqual({ spans: 7, accepted: 7, rejected: 0 })
})

test('300 requests at once are few inserts', async () => {
  const id = await receivers.register('many', ['otlp-traces'])
  const inserts = async () =>
    (await receivers.rows('SELECT uniqExact(batch) AS n FROM ingest_batch'))[0]!['n'] as number
  const before = await inserts()
  const bodies = Array.from({ length: 300 }, (_, index) => traceRequest(`m${index}`, 5))
  const send = (body: Buffer) => request(`${receivers.http}/v1/traces`, body, { authorization: `Bearer ${id}` })
  const answers = await Promise.all(bodies.map(send))
  expect(answers.every(({ status }) => status === 200)).toBe(true)
  expect(await receivers.spans('many')).toMatchObject({ spans: 1500, accepted: 1500 })
  expect((await inserts()) - before).toBeLessThan(15)
})

/** A span's start, which has eight bytes, is made a field of two: the frames around it stay as they are. */
function damageInside(whole: Buffer): Buffer {
  const bytes = Buffer.from(whole)
  const at = bytes.indexOf(Buffer.from([0x39]), bytes.indexOf('GET /orders'))
  // Field 7 as a length-delimited value of 200 bytes, which its span does not have.
  bytes[at] = 0x3a
  bytes[at + 1] = 200
  bytes[at + 2] = 1
  return bytes
}
