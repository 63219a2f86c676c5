import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { credentials, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WAITING_BYTES_MAX } from '../../../services/collector/gather/budget.ts'
import { call } from './grpc.ts'
import { request, traceRequest } from './requests.ts'
import { openReceivers, type TestReceivers } from './support.ts'

/** Half a minute of file descriptors is enough for 10,000; each connection takes two of them in this process. */
const IDLE_CONNECTIONS = Number(process.env['CINCH_IDLE_CONNECTIONS'] ?? 2000)

let receivers: TestReceivers
let token: string
let sent = 0
beforeAll(async () => {
  receivers = await openReceivers('faults', { answerWithinMs: 60_000 })
  token = await receivers.register('shop', ['otlp-traces'])
})
afterAll(async () => {
  expect(receivers.faults).toEqual([])
  await receivers.close()
})

/** After every fault both ways in work, and nothing is left in memory. */
async function works(): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  const before = await receivers.spans('shop')
  expect((await request(`${receivers.http}/v1/traces`, traceRequest(`w${sent++}`, 3), headers)).status).toBe(200)
  await call(receivers.grpc, traceRequest(`w${sent++}`, 3), headers)
  expect((await receivers.spans('shop')).spans - before.spans).toBe(6)
  expect(receivers.gatherer.state()).toEqual({ waitingBytes: 0, spooledBytes: 0, spooledChunks: 0, isStalled: false })
}

async function open(address: string): Promise<Socket> {
  const { hostname, port } = new URL(address.includes('://') ? address : `http://${address}`)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const head = (more: string) =>
  `POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nAuthorization: Bearer ${token}\r\n${more}`

describe('senders that misbehave', () => {
  test('one that stalls in its headers is let go; one that stalls in its body holds what it sent, and no more', async () => {
    const slow = await open(receivers.http)
    slow.write(head('X-Slow: '))
    const body = await open(receivers.http)
    body.write(`${head('Content-Length: 50000000\r\n')}\r\n${'x'.repeat(1000)}`)
    await worksBeside(1000)
    const ended = once(slow, 'close')
    slow.resume()
    await ended
    body.destroy()
    await works()
  }, 60_000)

  async function worksBeside(waiting: number): Promise<void> {
    const headers = { authorization: `Bearer ${token}` }
    expect((await request(`${receivers.http}/v1/traces`, traceRequest(`w${sent++}`, 3), headers)).status).toBe(200)
    expect(receivers.gatherer.state().waitingBytes).toBe(waiting)
  }

  test('many that stall in large bodies are refused when their share of memory is full, others go on, and their memory comes back', async () => {
    const other = await receivers.register('other', ['otlp-traces'])
    const sockets: Socket[] = []
    const refused: string[] = []
    const part = Buffer.alloc(8 << 20)
    for (let index = 0; index < 40; index++) {
      const socket = await open(receivers.http)
      socket.on('data', (bytes) => refused.push(bytes.toString('latin1')))
      socket.write(`${head('Content-Length: 60000000\r\n')}\r\n`)
      socket.write(part)
      sockets.push(socket)
    }
    await expect.poll(() => refused.some((text) => text.startsWith('HTTP/1.1 503')), { timeout: 30_000 }).toBe(true)
    expect(refused.join('')).toMatch(/retry-after: \d+/i)
    expect(receivers.gatherer.state().waitingBytes).toBeLessThanOrEqual(WAITING_BYTES_MAX)
    const headers = { authorization: `Bearer ${other}` }
    const large = Buffer.concat(Array.from({ length: 100 }, (_, index) => traceRequest(`other ${index} `, 100)))
    expect((await request(`${receivers.http}/v1/traces`, large, headers)).status).toBe(200)
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => receivers.gatherer.state().waitingBytes, { timeout: 10_000 }).toBe(0)
    await works()
  }, 90_000)

  test('garbage on both ports', async () => {
    const garbage = [
      Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'latin1'),
      Buffer.from('GET / HTTP/0.9\r\n\r\n\0\0\0'),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1'),
      Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 2654435761) & 0xff)),
    ]
    for (const address of [receivers.http, receivers.grpc])
      for (const bytes of garbage) {
        const socket = await open(address)
        socket.end(bytes)
        socket.resume()
        await Promise.race([once(socket, 'close'), sleep(2000)])
        socket.destroy()
      }
    await works()
  })

  test.each([
    ['half a request', () => traceRequest('half', 20).subarray(0, 300), status.INVALID_ARGUMENT],
    ['text', () => Buffer.from('{"resourceSpans":[]}'), status.INVALID_ARGUMENT],
    ['17 MiB', () => Buffer.alloc(17 << 20), status.RESOURCE_EXHAUSTED],
  ])('%s over gRPC', async (_, make, code) => {
    const failed = call(receivers.grpc, make(), { authorization: `Bearer ${token}` })
    await expect(failed).rejects.toMatchObject({ code })
    await works()
  })

  test('a bomb over gRPC', async () => {
    const compressed = { 'grpc.default_compression_algorithm': 2 }
    const { Client, Metadata } = await import('@grpc/grpc-js')
    const client = new Client(receivers.grpc, credentials.createInsecure(), compressed)
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${token}`)
    const asIs = (bytes: Buffer) => bytes
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(200 << 20), metadata, (failure) => resolve(failure))
    })
    client.close()
    expect(error?.code).toBe(status.RESOURCE_EXHAUSTED)
    await works()
  })

  test(`${IDLE_CONNECTIONS} idle connections`, async () => {
    const before = process.memoryUsage().rss
    const sockets: Socket[] = []
    for (let index = 0; index < IDLE_CONNECTIONS; index += 100)
      sockets.push(
        ...(await Promise.all(Array.from({ length: 100 }, () => open(index % 200 ? receivers.http : receivers.grpc)))),
      )
    await works()
    expect(process.memoryUsage().rss - before).toBeLessThan(300 << 20)
    for (const socket of sockets) socket.destroy()
    await works()
  }, 120_000)
})
