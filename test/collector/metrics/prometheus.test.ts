import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operator } from '../../../services/collector/origin.ts'
import { startScraping } from '../../../services/collector/receivers/scrape.ts'
import { openApi, type TestApi } from '../../api/support.ts'
import { required } from '../../requirements.ts'
import { hasPrometheus, type Prometheus, startPrometheus } from './prometheus.ts'
import { istioLabels, startTarget, type Target, until } from './target.ts'

const REAL = 'Prometheus/'
const OURS = 'cinch'

const ok = istioLabels('web', 'orders')
const failed = istioLabels('web', 'orders', { response_code: '503', response_flags: 'UF' })
const quoted = istioLabels('job "night"\\x\n', 'orders')
const tcp = istioLabels('web', 'db', { request_protocol: 'tcp' })

/** The plan of the run, and so the truth: what was added after the first look at the page. */
const PLAN = { ok: 130 + 40, failed: 4 + 3, quoted: 5 + 2, tcp: 11 + 10 }

let api: TestApi
let target: Target
let prometheus: Prometheus
let notes: string[]
/** Prometheus' newest sample when the run was at rest, in milliseconds: it goes on looking. */
let restMs: number

/** Real Prometheus and Cinch's own scraper look at one program, which restarts once; Prometheus writes on to Cinch. */
async function run(): Promise<void> {
  api = await openApi('prometheus')
  target = await startTarget()
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 })
  const token = await api.cinch.senders.register({
    ...{ id: 'prometheus', sources: ['istio-metrics'], cluster: '', workloads: [], evidence: 'verified' },
  })
  target.add('istio_requests_total', ok, 1000)
  target.add('istio_requests_total', quoted, 0)
  prometheus = await startPrometheus({
    targets: [new URL(target.url).host],
    write: { url: `${url}/api/v1/write`, token },
  })
  notes = []
  const stop = startScraping([{ url: new URL(target.url), origin: async () => operator() }], {
    submit: (origin, bytes) => api.cinch.ingestRequest('istio-metrics', origin, bytes),
    intervalMs: 500,
    note: (text) => notes.push(text),
  })
  const bothLooked = async () => {
    await target.looked(REAL, OURS)
    await target.looked(REAL, OURS)
  }
  await bothLooked()
  for (const requests of [30, 60, 40]) {
    target.add('istio_requests_total', ok, requests)
    await target.looked(REAL, OURS)
  }
  target.add('istio_requests_total', failed, 4)
  target.add('istio_requests_total', quoted, 5)
  target.add('istio_tcp_connections_opened_total', tcp, 11)
  await bothLooked()
  // A counter that shows more than before when it is seen again would not show that it began anew: Prometheus does not see it either.
  target.restart()
  target.add('istio_requests_total', ok, 40)
  target.add('istio_requests_total', failed, 3)
  target.add('istio_requests_total', quoted, 2)
  target.add('istio_tcp_connections_opened_total', tcp, 10)
  await bothLooked()
  await stop()
  const [all] = await prometheus.samples('istio_requests_total{response_code="503"}')
  restMs = Math.round((all?.values.at(-1)?.[0] ?? 0) * 1000)
  await until(async () => {
    const [row] = await api.rows<{ last: number }>(
      `SELECT toUnixTimestamp64Milli(max(time)) AS last FROM metric_sample WHERE sender = 'prometheus'`,
    )
    return Number(row?.last) >= restMs
  })
  await api.cinch.analyze()
}

describe.skipIf(!hasPrometheus() && !required('CINCH_REQUIRE_PROMETHEUS'))(
  'real Prometheus beside Cinch’s own scraper (needs the package prometheus)',
  () => {
    beforeAll(run, 120_000)
    afterAll(async () => {
      await prometheus?.stop()
      await target?.close()
      await api?.close()
    })

    const counted = (sender: string) =>
      api.rows(
        `SELECT metric, source_workload, status, toUInt32(sum(h.requests)) AS requests FROM metric_hour AS h FINAL WHERE sender = {sender:String} AND h.requests > 0
       GROUP BY metric, source_workload, status ORDER BY metric, source_workload, status`,
        { sender },
      )
    const truth = [
      { metric: 'istio_requests_total', source_workload: 'job "night"\\x\n', status: 200, requests: PLAN.quoted },
      { metric: 'istio_requests_total', source_workload: 'web', status: 200, requests: PLAN.ok },
      { metric: 'istio_requests_total', source_workload: 'web', status: 503, requests: PLAN.failed },
      { metric: 'istio_tcp_connections_opened_total', source_workload: 'web', status: 200, requests: PLAN.tcp },
    ]

    test('remote write: counts are the plan’s, over a restart and for counters that appear later', async () => {
      expect(await counted('prometheus')).toEqual(truth)
    })

    test('scraping: the same', async () => {
      expect(await counted('operator')).toEqual(truth)
      expect(notes).toEqual([])
    })

    test('every sample that Prometheus scraped of these counters is stored, with its time and value, and no other', async () => {
      const own = (await prometheus.samples('{__name__=~"istio_.*_total"}')).flatMap(({ labels, values }) =>
        values
          .map(([time, value]) => ({ time: Math.round(time * 1000), value }))
          .filter(({ time }) => time <= restMs)
          .map(({ time, value }) =>
            [labels['__name__'], labels['response_code'], labels['source_workload'], time, value].join(' '),
          ),
      )
      const stored = await api.rows<{ sample: string }>(
        `SELECT concat(metric, ' ', toString(status), ' ', source_workload, ' ', toString(toUnixTimestamp64Milli(time)), ' ', toString(value)) AS sample
       FROM (SELECT sender, target, series, metric, time, max(s.value) AS value FROM metric_sample AS s GROUP BY sender, target, series, metric, time) AS a
       INNER JOIN metric_series AS b USING (sender, target, series)
       WHERE sender = 'prometheus' AND a.time <= fromUnixTimestamp64Milli({rest:Int64})`,
        { rest: restMs },
      )
      expect(stored.length).toBeGreaterThan(20)
      expect([...new Set(stored.map(({ sample }) => sample))].sort()).toEqual(own.sort())
    })

    test('the two roads to one program count once in the graph', async () => {
      const graph = await api.cinch.graph({})
      expect(
        graph.edges.map(({ source, destination, protocol, requests, evidence, reporter, mtls }) =>
          [source, destination, protocol, requests, evidence, reporter, mtls].join(' '),
        ),
      ).toEqual([
        `shop/job "night"\\x\n shop/orders http ${PLAN.quoted} claimed metric yes`,
        `shop/web shop/db tcp ${PLAN.tcp} claimed metric yes`,
        `shop/web shop/orders http ${PLAN.ok + PLAN.failed} claimed metric yes`,
      ])
    })

    test('samples of other metrics are passed over, and counted', async () => {
      const [row] = await api.rows(
        `SELECT toUInt32(sum(skipped)) AS skipped, toUInt32(sum(rejected)) AS rejected FROM ingest_batch WHERE sender = 'prometheus'`,
      )
      expect(row).toMatchObject({ rejected: 0 })
      expect(Number(row?.['skipped'])).toBeGreaterThan(target.looks(REAL))
    })
  },
)
