import { readFileSync } from 'node:fs'
import type { InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type TestApi } from '../../api/support.ts'
import { sourceDir } from '../facts.ts'
import { compress } from './snappy.ts'

let api: TestApi
let token: string
beforeAll(async () => {
  api = await openApi('remote-write')
  token = await register('prometheus', [])
}, 60_000)
afterAll(() => api.close())

const register = (id: string, workloads: string[], sources = ['istio-metrics']) =>
  api.cinch.senders.register({ id, sources, cluster: id, workloads, evidence: 'verified' })

const series = readFileSync(new URL('samples/prometheus-2.42.0.binpb', sourceDir('istio-metrics')))
/** The headers of a real Prometheus 2.42.0. */
const HEADERS = {
  'content-encoding': 'snappy',
  'content-type': 'application/x-protobuf',
  'x-prometheus-remote-write-version': '0.1.0',
  'user-agent': 'Prometheus/2.42.0+ds',
}

async function write(body: Buffer, given = token, headers: InjectOptions['headers'] = {}) {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/write',
    headers: { ...HEADERS, ...(given === '' ? {} : { authorization: `Bearer ${given}` }), ...headers },
    body,
  })
  return answer.statusCode
}

const samplesOf = async (sender: string) => {
  const [row] = await api.rows<{ samples: number }>(
    `SELECT uniqExact(series, time) AS samples FROM metric_sample WHERE sender = {sender:String}`,
    { sender },
  )
  return row?.samples
}

test('samples are in the store when it is answered; sent again, they are there once', async () => {
  expect(await write(compress(series))).toBe(204)
  expect(await samplesOf('prometheus')).toBe(5)
  expect(await write(compress(series))).toBe(204)
  expect(await write(compress(Buffer.concat([series, series])))).toBe(204)
  expect(await samplesOf('prometheus')).toBe(5)
})

test('metadata and nothing at all are fine', async () => {
  const metadata = Buffer.concat([Buffer.from([0x1a, 6, 0x08, 1, 0x12, 2]), Buffer.from('up')])
  expect(await write(compress(metadata))).toBe(204)
  expect(await write(compress(Buffer.alloc(0)))).toBe(204)
  expect(await write(compress(Buffer.concat([metadata, series, metadata])))).toBe(204)
})

describe('what is refused stores nothing, and is not to be sent again', () => {
  const refused = async (status: number, ...args: Parameters<typeof write>) => {
    const before = await api.rows('SELECT count() AS n FROM metric_sample')
    expect(await write(...args)).toBe(status)
    expect(await api.rows('SELECT count() AS n FROM metric_sample')).toEqual(before)
  }

  test('nobody, and somebody else’s token', async () => {
    await refused(401, compress(series), '')
    await refused(401, compress(series), 'cinch_nobody')
    await refused(401, compress(series), await register('logs', [], ['istio-json']))
  })

  test('a sender for other workloads', async () => {
    await refused(400, compress(series), await register('bank', ['bank/*']))
    expect(await api.rows(`SELECT DISTINCT reason FROM rejected_line WHERE sender = 'bank'`)).toEqual([
      { reason: 'sender_may_not' },
    ])
  })

  test('another encoding or version', async () => {
    await refused(400, series, token, { 'content-encoding': 'gzip' })
    await refused(400, compress(series), token, { 'x-prometheus-remote-write-version': '2.0.0' })
    await refused(400, compress(series), token, {
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    })
  })

  test('no snappy, no protobuf, a damaged series, a bomb', async () => {
    await refused(400, Buffer.from('hello'))
    await refused(400, Buffer.from([10, 0xfc, 0xfa, 0xff, 0xff, 0xff, 0, 0, 0, 0]))
    await refused(400, compress(Buffer.from('no protobuf at all')))
    await refused(400, compress(Buffer.from([0x0a, 4, 0x0a, 0x7f, 1, 2])))
    await refused(413, Buffer.from([0x80, 0x80, 0x80, 0x80, 0x04, 0x00, 0x61]))
  })

  test('memory that was held for them is free again', async () => {
    expect((await api.cinch.gatherer()).state().waitingBytes).toBe(0)
  })
})
