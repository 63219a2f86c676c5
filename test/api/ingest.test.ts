import { readdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Registration } from '../../services/collector/senders.ts'
import { accessLine, callLine, shippedLine } from '../support/telemetry.ts'
import { openApi, type TestApi } from './support.ts'

const MIB = 1 << 20
let api: TestApi
let url: string
beforeAll(async () => {
  api = await openApi('ingest')
  await api.app.listen({ port: 0, host: '127.0.0.1' })
  url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`
})
afterAll(() => api.close())

async function register(id: string, registration: Partial<Registration> = {}): Promise<string> {
  const answer = await api.ask('/api/v1/senders', {
    method: 'POST',
    body: { id, sources: ['istio-json'], ...registration },
  })
  expect(answer.statusCode).toBe(200)
  return answer.json<{ token: string }>().token
}

const post = (source: string, body: Uint8Array<ArrayBuffer> | string, token: string, query = '') =>
  fetch(`${url}/ingest/${source}${query}`, { method: 'POST', body, headers: { authorization: `Bearer ${token}` } })

async function counts(sender: string): Promise<{ facts: number; rolled: number }> {
  const [facts] = await api.rows<{ n: number }>('SELECT count() AS n FROM request WHERE sender = {sender:String}', {
    sender,
  })
  const [rolled] = await api.rows<{ n: number }>(
    'SELECT sum(accepted) AS n FROM ingest_batch WHERE sender = {sender:String}',
    { sender },
  )
  return { facts: facts?.n ?? 0, rolled: rolled?.n ?? 0 }
}

const rolledUp = async (caller: string) => {
  const principal = `cluster.local/ns/shop/sa/${caller}`
  const sums = await api.rows<{ n: number }>(
    `SELECT sum(requests) AS n FROM operation_usage WHERE edge IN (SELECT edge FROM edge WHERE source_principal = {principal:String})
     UNION ALL SELECT sum(requests) AS n FROM edge_usage_hour WHERE edge IN (SELECT edge FROM edge WHERE source_principal = {principal:String})`,
    { principal },
  )
  return sums.map(({ n }) => n)
}

describe('a registered sender', () => {
  test('speaks of its sources only, in its own name', async () => {
    const token = await register('east', { cluster: 'east', evidence: 'verified', workloads: [] })
    const sent = await api.send('istio-json', accessLine({ from: 'shop/east' }), token)
    expect({ status: sent.statusCode, ...sent.json() }).toMatchObject({
      status: 200,
      read: 1,
      accepted: 1,
      rejected: 0,
    })
    expect(
      await api.rows("SELECT sender, cluster, source_evidence FROM request WHERE source_principal LIKE '%/east'"),
    ).toEqual([{ sender: 'east', cluster: 'east', source_evidence: 'verified' }])
    const wrong = await api.send('otlp-traces', callLine('a', 'b'), token)
    expect({ status: wrong.statusCode, ...wrong.json() }).toMatchObject({
      status: 401,
      error: { code: 'unauthorized' },
    })
    const alias = await api.send('envoy-json', accessLine({ from: 'shop/alias' }), token)
    expect(alias.statusCode).toBe(200)
  })

  test("cannot choose another cluster, or the operator's way with files", async () => {
    const token = await register('west', { cluster: 'west' })
    const answer = await post('istio-json', accessLine({ from: 'shop/west' }), token, '?cluster=east&file=1')
    expect(answer.status).toBe(200)
    expect(await api.rows("SELECT sender, cluster FROM request WHERE source_principal LIKE '%/west'")).toEqual([
      { sender: 'west', cluster: 'west' },
    ])
    expect(await api.rows('SELECT * FROM file_progress')).toEqual([])
  })

  test('is no admin', async () => {
    const token = await register('curious')
    for (const path of ['/api/v1/sources', '/api/v1/senders', '/metrics', '/api/v1/rejects'])
      expect((await api.app.inject({ url: path, headers: { authorization: `Bearer ${token}` } })).statusCode).toBe(401)
  })

  test('speaks for its workloads only with spans, too', async () => {
    const token = await register('tracer', { sources: ['otlp-traces'], workloads: ['shop/web'] })
    const answer = await api.send('otlp-traces', callLine('web', 'orders'), token)
    // The caller's span is its own to tell, the callee's is not.
    expect(answer.json()).toMatchObject({ read: 2, accepted: 1, rejected: 1 })
    expect(
      await api.rows("SELECT reason, count() AS n FROM rejected_line WHERE sender = 'tracer' GROUP BY reason"),
    ).toEqual([{ reason: 'sender_may_not', n: 1 }])
  })

  test('speaks for its workloads only: the rest is rejected as sender_may_not', async () => {
    const token = await register('payments', { workloads: ['payments/*'] })
    const body = [
      shippedLine({ to: 'payments/ledger', from: 'shop/web' }),
      shippedLine({ to: 'shop/orders', from: 'shop/mallory' }),
      accessLine({ to: 'payments/ledger', from: 'shop/mallory' }),
    ].join('\n')
    expect((await api.send('istio-json', body, token)).json()).toMatchObject({ read: 3, accepted: 1, rejected: 2 })
    expect(
      await api.rows("SELECT reason, count() AS n FROM rejected_line WHERE sender = 'payments' GROUP BY reason"),
    ).toEqual([{ reason: 'sender_may_not', n: 2 }])
    expect(await api.rows("SELECT destination_namespace AS ns FROM request WHERE sender = 'payments'")).toEqual([
      { ns: 'payments' },
    ])
  })

  test('gives evidence up to its cap', async () => {
    for (const evidence of ['none', 'claimed', 'address', 'joined', 'verified'] as const) {
      const token = await register(`cap-${evidence}`, { evidence })
      await api.send('istio-json', accessLine({ from: `shop/cap-${evidence}` }), token)
      expect(
        await api.rows('SELECT source_evidence FROM request WHERE sender = {sender:String}', {
          sender: `cap-${evidence}`,
        }),
      ).toEqual([{ source_evidence: evidence }])
    }
    const { edges } = (await api.ask('/api/v1/edges')).json<{ edges: { source: string; evidence: string }[] }>()
    expect(edges.find((edge) => edge.source.endsWith('cap-claimed'))?.evidence).toBe('claimed')
    const body = { evidence: 'address', selector: 'app={workload}' }
    const { report } = (await api.ask('/api/v1/policies', { method: 'POST', body })).json()
    const callers = report.permissions.map(
      (permission: { caller: { principal: string } }) => permission.caller.principal,
    )
    expect(callers).toEqual(expect.arrayContaining([expect.stringMatching(/cap-verified$/)]))
    expect(callers).not.toEqual(expect.arrayContaining([expect.stringMatching(/cap-(claimed|none)$/)]))
  })

  test('is nobody once it is revoked, and with its earlier token once it is registered anew', async () => {
    const first = await register('fickle')
    const second = await register('fickle')
    expect((await api.send('istio-json', accessLine(), first)).statusCode).toBe(401)
    expect((await api.send('istio-json', accessLine(), second)).statusCode).toBe(200)
    expect((await api.ask('/api/v1/senders/fickle', { method: 'DELETE' })).statusCode).toBe(204)
    expect((await api.send('istio-json', accessLine(), second)).statusCode).toBe(401)
    const { senders } = (await api.ask('/api/v1/senders')).json<{ senders: Registration[] }>()
    expect(senders.map((sender) => sender.id)).not.toContain('fickle')
  })

  test('has a token that is shown once: in no answer and no file', async () => {
    const token = await register('secretive')
    await api.send('istio-json', `${accessLine({ from: 'shop/secretive' })}\nbroken\n`, token)
    for (const path of ['/api/v1/senders', '/api/v1/sources', '/api/v1/rejects', '/api/v1/doctor', '/metrics'])
      expect((await api.ask(path)).body).not.toContain(token)
    const files = readdirSync(api.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    expect(files.length).toBeGreaterThan(20)
    for (const file of files) {
      const bytes = readFileSync(join(file.parentPath, file.name))
      expect({ file: file.name, holds: bytes.includes(token) }).toEqual({ file: file.name, holds: false })
    }
  })
})

describe('a body', () => {
  test('that comes three times counts once, in facts and rollups', async () => {
    const token = await register('stutter')
    const body = Array.from({ length: 50 }, (_, n) => accessLine({ from: 'shop/stutter', path: `/orders/${n}` })).join(
      '\n',
    )
    const answers = []
    for (let time = 0; time < 3; time++) answers.push((await api.send('istio-json', body, token)).json())
    for (const answer of answers) expect(answer).toMatchObject({ read: 50, accepted: 50, rejected: 0 })
    expect(await counts('stutter')).toEqual({ facts: 50, rolled: 50 })
    expect(await rolledUp('stutter')).toEqual([50, 50])
  })

  test('of another sender is another', async () => {
    const body = accessLine({ from: 'shop/both' })
    for (const id of ['one', 'two']) await api.send('istio-json', body, await register(id))
    expect(await rolledUp('both')).toEqual([2, 2])
  })

  test('may be packed', async () => {
    const line = Buffer.from(accessLine({ from: 'shop/packed' }))
    for (const body of [gzipSync(line), zstdCompressSync(line)])
      expect(await (await post('istio-json', body, api.token)).json()).toMatchObject({ read: 1, accepted: 1 })
    const damaged = await post('istio-json', gzipSync(line).subarray(0, 60), api.token)
    expect({ status: damaged.status, ...((await damaged.json()) as object) }).toMatchObject({
      status: 400,
      error: { code: 'bad_request' },
    })
  })

  test('that is empty is nothing', async () => {
    expect((await api.send('istio-json', '', api.token)).json()).toMatchObject({ read: 0, accepted: 0, rejected: 0 })
  })

  test('for a source that is none', async () => {
    const answer = await api.send('apache', 'x', api.token)
    expect({ status: answer.statusCode, ...answer.json() }).toMatchObject({
      status: 404,
      error: { code: 'unknown_source' },
    })
  })

  test.each([
    ['unpacks to more than 64 MiB', () => gzipSync(Buffer.alloc(65 * MIB, 0x20))],
    ['is a bomb', () => gzipSync(Buffer.alloc(400 * MIB))],
    ['has 65 MiB', () => Buffer.alloc(65 * MIB, 0x20)],
  ])('that %s is refused, and the server lives', async (_, make) => {
    // A server that refuses while the body still comes may close the connection before its answer is read.
    const answer = await post('istio-json', new Uint8Array(make()), api.token).catch((error: Error) => error)
    if (answer instanceof Error) expect(String(answer.cause)).toMatch(/EPIPE|ECONNRESET|other side closed/)
    else {
      expect(answer.status).toBe(413)
      expect(await answer.json()).toMatchObject({ error: { code: 'too_large' } })
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    const spooled = readdirSync(join(api.dir, 'spool'), { recursive: true, withFileTypes: true })
    expect(spooled.filter((entry) => entry.isFile())).toEqual([])
  })

  test('twenty at once: each is stored, and each answer is its own', async () => {
    const token = await register('busy')
    const bodies = Array.from({ length: 20 }, (_, n) =>
      Array.from({ length: n + 1 }, (_, line) => accessLine({ from: 'shop/busy', path: `/b${n}/l${line}` })).join('\n'),
    )
    const answers = await Promise.all(bodies.map(async (body) => (await post('istio-json', body, token)).json()))
    expect(answers.map((answer) => (answer as { accepted: number }).accepted)).toEqual(bodies.map((_, n) => n + 1))
    expect(await counts('busy')).toEqual({ facts: 210, rolled: 210 })
    expect(await rolledUp('busy')).toEqual([210, 210])
  })

  test('the same twenty times at once counts once', async () => {
    const token = await register('echo')
    const body = `${accessLine({ from: 'shop/echo' })}\n${accessLine({ from: 'shop/echo', path: '/2' })}`
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('istio-json', body, token)))
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200))
    expect(await counts('echo')).toEqual({ facts: 2, rolled: 2 })
    expect(await rolledUp('echo')).toEqual([2, 2])
  })
})
