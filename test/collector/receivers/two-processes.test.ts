import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@clickhouse/client'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fieldsOf } from '../../../services/collector/receivers/wire.ts'
import { startTestServer, type TestServer } from '../../store/start-server.ts'
import { scratch } from '../../support/cli.ts'
import { httpEntry, ORDERS, stream as streamElement } from '../sources-envoy/encode.ts'
import { request, traceRequest } from './requests.ts'
import { type ServedReceivers, serveReceivers } from './served.ts'

/* Two processes of Cinch on one store, as behind a load balancer: what one of them knows, the other must find out. */

/** What another process revoked is known after this time (`KNOWN_FOR_MS`), and a stream asks as often again. */
const KNOWN_AFTER_MS = 10_500

const room = scratch('two')
let server: TestServer
let one: ServedReceivers
let other: ServedReceivers
const tokens = { shop: '', gone: '' }
beforeAll(async () => {
  server = await startTestServer(room.path('server'))
  const start = async (name: string) => {
    mkdirSync(room.path(name))
    return await serveReceivers(server.url, [], room.path(name))
  }
  one = await start('one')
  other = await start('other')
  tokens.shop = await one.register('shop', ['otlp-traces'])
  tokens.gone = await one.register('gone', ['otlp-traces', 'envoy-als'])
}, 120_000)
afterAll(async () => {
  for (const served of [one, other]) if (served?.child.exitCode === null) await served.stop('SIGKILL')
  await server?.stop()
  room.close()
})

async function count(sql: string): Promise<number> {
  const client = createClient({ url: server.url })
  try {
    const answer = await client.query({ query: sql, format: 'JSONEachRow' })
    return Number((await answer.json<{ n: string }>())[0]?.n)
  } finally {
    await client.close()
  }
}

const send = async (to: ServedReceivers, token: string, body: Buffer) =>
  (await request(`${to.http}/v1/traces`, body, { authorization: `Bearer ${token}` })).status

test('a request that one stored counts once when it comes to the other, alone or among new ones', async () => {
  const token = tokens.shop
  const bodies = Array.from({ length: 24 }, (_, index) => traceRequest(`two ${index}`, 5 + index))
  const total = bodies.reduce((sum, _, index) => sum + 5 + index, 0)
  for (const body of bodies.slice(0, 12)) expect(await send(one, token, body)).toBe(200)
  expect(await send(other, token, bodies[0] ?? Buffer.alloc(0))).toBe(200)
  const mixed = [...bodies.slice(12), ...bodies.slice(0, 12)].sort((a, b) => (a.length % 7) - (b.length % 7))
  const answers = await Promise.all(mixed.map((body) => send(other, token, body)))
  expect(answers).toEqual(mixed.map(() => 200))
  expect(await count('SELECT count() AS n FROM span')).toBe(total)
  expect(await count('SELECT uniqExact(span_key) AS n FROM span')).toBe(total)
  expect(await count('SELECT sum(accepted) AS n FROM ingest_batch')).toBe(total)
  // And back again, where those of the other are not remembered.
  for (const body of bodies.slice(12)) expect(await send(one, token, body)).toBe(200)
  expect(await count('SELECT count() AS n FROM span')).toBe(total)
}, 60_000)

/** A stream of Envoy's access log service. */
function openStream(to: ServedReceivers, token: string) {
  const client = new Client(to.grpc, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  const asIs = (bytes: Buffer) => bytes
  const { promise: ended, resolve } = Promise.withResolvers<status>()
  const path = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs'
  const stream = client.makeClientStreamRequest(path, asIs, asIs, metadata, (error: ServiceError | null) =>
    resolve(error?.code ?? status.OK),
  )
  stream.on('error', () => {})
  const element = streamElement([httpEntry({ path: '/before' })], 'http', ORDERS)
  const [field] = fieldsOf(element) ?? []
  stream.write(element.subarray(field?.from, field?.to))
  const again = streamElement([httpEntry({ path: '/after' })], 'http', ORDERS)
  const [next] = fieldsOf(again) ?? []
  return { ended, more: () => stream.write(again.subarray(next?.from, next?.to)), close: () => client.close() }
}

test('a sender that one revoked is nobody to the other soon, be it quiet meanwhile or in the middle of a stream', async () => {
  const token = tokens.gone
  expect(await send(other, token, traceRequest('gone 0', 1))).toBe(200)
  const stream = openStream(other, token)
  await expect.poll(() => count("SELECT count() AS n FROM request WHERE path = '/before'"), { timeout: 20_000 }).toBe(1)
  const answer = await fetch(`${one.url}/api/v1/senders/gone`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${one.token}` },
  })
  expect(answer.ok).toBe(true)
  expect(await send(one, token, traceRequest('gone 1', 1))).toBe(401)
  await sleep(KNOWN_AFTER_MS)
  // The first word since: it must not be taken on what was known of old.
  expect(await send(other, token, traceRequest('gone 2', 1))).toBe(401)
  stream.more()
  expect(await stream.ended).toBe(status.UNAUTHENTICATED)
  stream.close()
  expect(await count("SELECT count() AS n FROM request WHERE path = '/after'")).toBe(0)
  expect(await count("SELECT count() AS n FROM span WHERE sender = 'gone'")).toBe(1)
}, 60_000)
