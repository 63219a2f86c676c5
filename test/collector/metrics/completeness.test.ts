import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Completeness } from '../../../services/analyzer/metrics/completeness.ts'
import { openApi, type TestApi } from '../../api/support.ts'
import { sourceDir } from '../facts.ts'
import { istioLabels, series } from './target.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('completeness')
}, 60_000)
afterAll(() => api.close())

/** A line that a real Envoy wrote at orders for a request of frontend, at another time. */
const callee =
  readFileSync(new URL('samples/recommended-callee.log', sourceDir('istio-json')), 'utf8').split('\n')[0] ?? ''
const logLine = (time: number) => callee.replace('2026-11-22T18:46:18.778Z', new Date(time).toISOString())

const HOUR = Date.UTC(2026, 10, 22, 18)
const HOURS = [
  { hour: HOUR, logs: 90, metrics: 100 },
  { hour: HOUR + 3_600_000, logs: 40, metrics: 40 },
  { hour: HOUR + 7_200_000, logs: 0, metrics: 25 },
]

async function load(): Promise<void> {
  const logs = HOURS.flatMap(({ hour, logs: count }) =>
    Array.from({ length: count }, (_, index) => logLine(hour + index * 30_000)),
  )
  await api.send('istio-json', `${logs.join('\n')}\n`, api.token)
  const labels = istioLabels('frontend', 'orders')
  const other = istioLabels('cron', 'reports')
  const refused = istioLabels('stranger', 'reports', { response_code: '403' })
  const look = (time: number, ...lines: string[]) =>
    ['cinch_scrape 3', ...lines].map((line) => `${time}\tproxy:15020/stats\t${line}\n`).join('')
  let value = 500
  let pages = look(HOUR, `${series('istio_requests_total', labels)} ${value}`)
  for (const { hour, metrics } of HOURS) {
    value += metrics
    pages += look(
      hour + 3_000_000,
      `${series('istio_requests_total', labels)} ${value}`,
      `${series('istio_requests_total', other)} ${(hour - HOUR) / 360_000 + 5}`,
      `${series('istio_requests_total', refused)} 2`,
    )
    // Nothing happens in the last ten minutes.
    pages += look(
      hour + 3_600_000,
      `${series('istio_requests_total', labels)} ${value}`,
      `${series('istio_requests_total', other)} ${(hour - HOUR) / 360_000 + 5}`,
      `${series('istio_requests_total', refused)} 2`,
    )
  }
  await api.send('istio-metrics', pages, api.token)
  await api.cinch.analyze()
}

const iso = (time: number) => new Date(time).toISOString().replace('.000Z', 'Z')

test('by callee and hour: what the logs tell of what the proxies counted', async () => {
  await load()
  const answer = await api.ask('/api/v1/completeness')
  const { hours, window } = answer.json<{ hours: Completeness[]; window: { since: string } }>()
  expect(window.since).toBe(iso(HOUR))
  expect(hours.filter((row) => row.callee === 'shop/orders')).toEqual(
    HOURS.map(({ hour, logs, metrics }) => ({
      ...{ hour: iso(hour), callee: 'shop/orders', reporter: 'destination', measure: 'requests' },
      ...{ logs, metrics, missing: 1 - logs / metrics, gap_s: 3000 },
    })),
  )
  expect(hours.filter((row) => row.callee === 'shop/reports')[0]).toMatchObject({ logs: 0, metrics: 7, missing: 1 })
  expect(
    (await api.ask(`/api/v1/completeness?since=${iso(HOUR + 3_600_000)}&until=${iso(HOUR + 7_200_000)}`)).json(),
  ).toMatchObject({
    hours: [{ callee: 'shop/orders', missing: 0 }, { callee: 'shop/reports' }],
  })
})

test('the doctor sums up the newest day', async () => {
  const { completeness } = (await api.ask('/api/v1/doctor')).json<{ completeness: Completeness[] }>()
  expect(completeness).toMatchObject([
    { callee: 'shop/reports', logs: 0, missing: 1 },
    { callee: 'shop/orders', logs: 130, metrics: 165, missing: 1 - 130 / 165 },
  ])
})

test('edges of counters are shown where no log tells of the pair; the logs’ own stay as they are', async () => {
  for (const graph of [await api.cinch.graph({}), await api.cinch.edges({})]) {
    expect(
      graph.edges.map(({ source, destination, requests, denied, evidence, reporter, operations }) => ({
        ...{ source, destination, requests, denied, evidence, reporter, operations: operations.length },
      })),
    ).toMatchObject([
      {
        source: 'shop/cron',
        destination: 'shop/reports',
        requests: 25,
        denied: 0,
        evidence: 'claimed',
        reporter: 'metric',
        operations: 0,
      },
      {
        source: 'shop/stranger',
        destination: 'shop/reports',
        requests: 0,
        denied: 2,
        evidence: 'claimed',
        reporter: 'metric',
      },
      {
        source: 'spiffe://cluster.local/ns/shop/sa/frontend',
        destination: 'shop/orders',
        requests: 130,
        evidence: 'verified',
        reporter: 'destination',
      },
    ])
    expect(graph.nodes.map(({ id }) => id)).not.toContain('shop/frontend')
  }
})

test('and they are no permissions: policies are made of operations, which counters do not tell', async () => {
  const { operations } = await api.cinch.operations({})
  expect(operations.map(({ destination }) => destination.id)).toEqual(['shop/orders'])
})
