import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { countMetrics } from '../../../services/analyzer/metrics/count.ts'
import { sourceDir } from '../facts.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { runSdk, type SdkRun } from './sdk.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('sdk-metrics')
}, 60_000)
afterAll(() => store.close())

describe.each([
  ['protobuf', 'cumulative'],
  ['json', 'delta'],
] as const)('the OpenTelemetry SDK over %s, %s points', (form, temporality) => {
  let run: SdkRun
  beforeAll(async () => {
    run = await runSdk(form, `orders-${form}`)
  }, 30_000)

  const counted = async (cluster: string) => {
    await countMetrics(store.store)
    return await store.rows(
      `SELECT metric, reporter, status, concat(source_namespace, '/', source_workload) AS source, concat(destination_namespace, '/', destination_workload) AS destination,
         destination_service, any(source_evidence) AS evidence, toUInt32(sum(h.requests)) AS requests
       FROM metric_hour AS h FINAL WHERE cluster = {cluster:String} AND h.requests > 0
       GROUP BY metric, reporter, status, source, destination, destination_service ORDER BY metric, status`,
      { cluster },
    )
  }
  const truth = () => [
    {
      ...{
        metric: 'http.client.request.duration',
        reporter: 'source',
        status: 201,
        source: 'shop/orders-v2',
        destination: '/',
      },
      ...{ destination_service: 'payments.bank', evidence: 'claimed', requests: run.truth.sent },
    },
    {
      ...{
        metric: 'http.server.request.duration',
        reporter: 'destination',
        status: 200,
        source: '/',
        destination: 'shop/orders-v2',
      },
      ...{ destination_service: '', evidence: 'none', requests: run.truth.answered },
    },
    {
      ...{
        metric: 'http.server.request.duration',
        reporter: 'destination',
        status: 500,
        source: '/',
        destination: 'shop/orders-v2',
      },
      ...{ destination_service: '', evidence: 'none', requests: run.truth.failed },
    },
    {
      ...{
        metric: 'istio_requests_total',
        reporter: 'destination',
        status: 200,
        source: 'shop/web',
        destination: 'shop/orders-v2',
      },
      ...{ destination_service: 'orders-v2.shop', evidence: 'claimed', requests: run.truth.mesh },
    },
  ]

  test('request by request, in order', async () => {
    for (const body of run.bodies) await store.request('otlp-metrics', body, { cluster: `${temporality} in order` })
    expect(await counted(`${temporality} in order`)).toEqual(truth())
  })

  test('backwards, twice, counted in between', async () => {
    const origin = { cluster: `${temporality} backwards` }
    for (const body of run.bodies.toReversed()) {
      await store.request('otlp-metrics', body, origin)
      await countMetrics(store.store)
    }
    const pairs = form === 'json' ? run.bodies.map((body) => Buffer.concat([body, Buffer.from('\n')])) : run.bodies
    await store.request('otlp-metrics', Buffer.concat([...pairs, ...pairs]), origin)
    expect(await counted(`${temporality} backwards`)).toEqual(truth())
  })

  test('points of other metrics are passed over, and counted', async () => {
    const [row] = await store.rows(
      `SELECT toUInt32(sum(skipped)) AS skipped, toUInt32(sum(rejected)) AS rejected FROM ingest_batch WHERE cluster = {cluster:String}`,
      { cluster: `${temporality} in order` },
    )
    // The gauge is in every request, of which the last comes with the shutdown.
    expect(row).toEqual({ skipped: run.bodies.length, rejected: 0 })
  })
})

test.each(['sdk-cumulative.binpb', 'sdk-delta.jsonl'])(
  'the recorded sample %s, as a file: what the program did',
  async (file) => {
    const bytes = readFileSync(new URL(`samples/${file}`, sourceDir('otlp-metrics')))
    const expected = readFileSync(new URL('expected.jsonl', sourceDir('otlp-metrics')), 'utf8')
      .trim()
      .split('\n')
    expect(await store.file('otlp-metrics', bytes, file)).toMatchObject({ rejected: 0 })
    await countMetrics(store.store)
    const counted = await store.rows(
      `SELECT metric, status, toUInt32(sum(h.requests)) AS requests FROM metric_hour AS h FINAL WHERE cluster = {file:String} AND h.requests > 0
     GROUP BY metric, status ORDER BY metric, status`,
      { file },
    )
    expect(counted).toEqual(expected.map((line) => JSON.parse(line)))
  },
)

test('lines that are no OTLP are rejects, and their neighbours are points', async () => {
  const good = readFileSync(new URL('samples/sdk-delta.jsonl', sourceDir('otlp-metrics')), 'utf8').split('\n')[0] ?? ''
  const lines = [
    good,
    'garbage',
    '{',
    '{"resourceMetrics":7}',
    '{"resourceMetrics":[]}',
    good.slice(0, -9),
    good.replace(/"name":"h/, '"name":"\\u0000h'),
  ]
  const result = await store.request('otlp-metrics', `${lines.join('\n')}\n`, { cluster: 'garbage' })
  const points = (await store.request('otlp-metrics', `${good}\n`, { cluster: 'good' })).accepted
  expect(result.rejected).toBe(5)
  // The renamed metric has one point less of those that are read.
  expect(result.accepted).toBeGreaterThan(points)
  const reasons = await store.rows(`SELECT reason FROM rejected_line WHERE cluster = 'garbage' ORDER BY reason`)
  expect(reasons.map(({ reason }) => reason)).toEqual(['json_cut', 'no_metrics', 'not_json'])
})
