import { mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { credentials, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, issueCertificate, type WorkloadCertificate } from '../../lab/certificates.ts'
import { scratch } from '../../support/cli.ts'
import { call } from './grpc.ts'
import { request, traceRequest } from './requests.ts'
import { openReceivers, type TestReceivers } from './support.ts'

let receivers: TestReceivers
beforeAll(async () => {
  receivers = await openReceivers('auth', { answerWithinMs: 60_000 })
})
afterAll(() => receivers.close())

let requests = 0
const body = () => traceRequest(`auth ${requests++}`, 1)
const overHttp = async (headers: Record<string, string>, to = receivers) =>
  (await request(`${to.http}/v1/traces`, body(), headers)).status
const overGrpc = async (headers: Record<string, string>, to = receivers) =>
  await call(to.grpc, body(), headers).then(
    () => status.OK,
    (error: ServiceError) => error.code,
  )

describe('whoever is not registered for it', () => {
  test.each([
    ['shows nothing', async () => ({}), 401, status.UNAUTHENTICATED],
    ['shows no token', async () => ({ authorization: 'Basic YTpi' }), 401, status.UNAUTHENTICATED],
    ['has another token', async () => ({ authorization: `Bearer ${'x'.repeat(43)}` }), 401, status.UNAUTHENTICATED],
    [
      'was revoked',
      async () => {
        const token = await receivers.register('gone', ['otlp-traces'])
        await receivers.cinch.senders.revoke('gone')
        return { authorization: `Bearer ${token}` }
      },
      401,
      status.UNAUTHENTICATED,
    ],
    [
      'is registered for another source',
      async () => ({ authorization: `Bearer ${await receivers.register('lines', ['istio-json'])}` }),
      403,
      status.PERMISSION_DENIED,
    ],
  ])('%s: nothing of it is read', async (_, show, http, grpc) => {
    const headers = (await show()) as Record<string, string>
    expect(await overHttp(headers)).toBe(http)
    expect(await overGrpc(headers)).toBe(grpc)
    expect(await receivers.rows('SELECT count() AS n FROM span')).toEqual([{ n: 0 }])
  })

  test('hears how to show itself, and its attempts are counted', async () => {
    const answer = await request(`${receivers.http}/v1/traces`, body())
    expect(answer.headers['www-authenticate']).toBe('Bearer')
    expect(receivers.counted.get('rejected otlp_http unknown')).toBeGreaterThan(3)
    expect(receivers.counted.get('rejected otlp_grpc unknown')).toBeGreaterThan(3)
  })

  test('cannot make it read 60 MB first', async () => {
    const started = performance.now()
    const large = await request(`${receivers.http}/v1/traces`, Buffer.alloc(60_000_000)).catch((error: Error) => error)
    if (!(large instanceof Error)) expect(large.status).toBe(401)
    expect(await call(receivers.grpc, Buffer.alloc(15_000_000)).catch((error: ServiceError) => error.code)).toBe(
      status.UNAUTHENTICATED,
    )
    expect(receivers.gatherer.state().waitingBytes).toBe(0)
    expect(performance.now() - started).toBeLessThan(20_000)
  })
})

test('a sender speaks for its workloads only: what it says for others is rejected, and it is told', async () => {
  const token = await receivers.register('liar', ['otlp-traces'], { workloads: ['shop/web'], evidence: 'claimed' })
  const answer = await request(`${receivers.http}/v1/traces`, traceRequest('lies', 4), {
    authorization: `Bearer ${token}`,
  })
  expect(answer.status).toBe(200)
  expect(answer.body.toString()).toContain('4 records were rejected')
  expect(await receivers.spans('liar')).toEqual({ spans: 0, accepted: 0, rejected: 4 })
  expect(await receivers.rows("SELECT DISTINCT reason FROM rejected_line WHERE sender = 'liar'")).toEqual([
    { reason: 'sender_may_not' },
  ])
})

describe('this machine, where the operator opened it', () => {
  let open: TestReceivers | undefined
  test('is the operator when it shows nothing; pages and wrong tokens are not', async () => {
    await receivers.close()
    open = await openReceivers('loopback', { answerWithinMs: 60_000 }, { isLoopbackOpen: true })
    try {
      expect(await overHttp({}, open)).toBe(200)
      expect(await overGrpc({}, open)).toBe(status.OK)
      expect(await open.spans('operator')).toMatchObject({ spans: 2 })
      expect(await overHttp({ origin: 'https://evil.example' }, open)).toBe(401)
      expect(await overHttp({ 'sec-fetch-site': 'same-origin' }, open)).toBe(401)
      expect(await overHttp({ authorization: 'Bearer wrong' }, open)).toBe(401)
      expect(await overGrpc({ authorization: 'Bearer wrong' }, open)).toBe(status.UNAUTHENTICATED)
      expect(await open.spans('operator')).toMatchObject({ spans: 2 })
    } finally {
      await open.close()
    }
  })
})

describe('mutual TLS', () => {
  const room = scratch('receivers-tls')
  let secure: TestReceivers
  let own: WorkloadCertificate
  let other: WorkloadCertificate
  let foreign: WorkloadCertificate
  let server: WorkloadCertificate
  beforeAll(async () => {
    const authority = await createAuthority(room.path('ours'))
    mkdirSync(room.path('theirs'))
    const theirs = await createAuthority(room.path('theirs'))
    server = await issueCertificate(room.path('ours'), authority, 'cluster.local/ns/cinch/sa/collector', [
      'IP:127.0.0.1',
    ])
    own = await issueCertificate(room.path('ours'), authority, 'cluster.local/ns/shop/sa/web')
    other = await issueCertificate(room.path('ours'), authority, 'cluster.local/ns/shop/sa/other')
    // The same name, from an authority that is not the senders'.
    foreign = await issueCertificate(room.path('theirs'), theirs, 'cluster.local/ns/shop/sa/web')
    const tls = { certificate: server.certificate, key: server.key, clientCa: authority.certificate }
    secure = await openReceivers('mtls', { answerWithinMs: 60_000 }, { tls })
    const spiffe = 'spiffe://cluster.local/ns/shop/sa/web'
    expect(await secure.register('web', ['otlp-traces'], { spiffe })).toBe('')
  })
  afterAll(async () => {
    await secure?.close()
    room.close()
  })

  const pems = async (files?: WorkloadCertificate) => ({
    ca: await readFile(server.authority),
    ...(files ? { cert: await readFile(files.certificate), key: await readFile(files.key) } : {}),
  })
  const http = async (files?: WorkloadCertificate, headers: Record<string, string> = {}) =>
    (await request(`${secure.http}/v1/traces`, body(), headers, 'POST', await pems(files))).status
  const grpc = async (files?: WorkloadCertificate, headers: Record<string, string> = {}) => {
    const { ca, cert, key } = await pems(files)
    const channel = credentials.createSsl(ca, key ?? null, cert ?? null)
    return await call(secure.grpc, body(), headers, channel).then(
      () => status.OK,
      (error: ServiceError) => error.code,
    )
  }

  test('knows a sender by the SPIFFE ID of a certificate of its authority', async () => {
    expect(await http(own)).toBe(200)
    expect(await grpc(own)).toBe(status.OK)
    expect(await secure.spans('web')).toMatchObject({ spans: 2 })
  })

  test('knows no other ID, no certificate of another authority, and nobody without one', async () => {
    for (const files of [other, foreign, undefined]) {
      expect(await http(files)).toBe(401)
      expect(await grpc(files)).toBe(status.UNAUTHENTICATED)
    }
    expect(await secure.spans('web')).toMatchObject({ spans: 2 })
  })

  test('leaves tokens as they are', async () => {
    const authorization = `Bearer ${await secure.register('tokens', ['otlp-traces'])}`
    expect(await http(undefined, { authorization })).toBe(200)
    expect(await grpc(undefined, { authorization })).toBe(status.OK)
    expect(await secure.spans('tokens')).toMatchObject({ spans: 2 })
  })

  test('takes an ID once, and none that is no SPIFFE ID', async () => {
    const spiffe = 'spiffe://cluster.local/ns/shop/sa/web'
    await expect(secure.register('twin', ['otlp-traces'], { spiffe })).rejects.toMatchObject({ code: 'bad_sender' })
    for (const wrong of ['spiffe://cluster.local', 'https://a/b', 'spiffe://a/../b', 'spiffe://A/b', 'spiffe://a/b?c'])
      await expect(secure.register('odd', ['otlp-traces'], { spiffe: wrong })).rejects.toMatchObject({
        code: 'bad_sender',
      })
    await secure.cinch.senders.revoke('web')
    expect(await http(own)).toBe(401)
  })
})
