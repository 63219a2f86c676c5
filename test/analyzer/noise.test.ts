import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isRegular } from '../../services/analyzer/graph/noise.ts'
import { createCommitter } from '../../services/collector/commit.ts'
import { ingestRequest } from '../../services/collector/ingest.ts'
import { operator } from '../../services/collector/origin.ts'
import { findSource } from '../../services/collector/sources/index.ts'
import type { Graph } from '../../services/model/graph.ts'
import { openApi, type TestApi } from '../api/support.ts'
import { seeded } from '../collector/lines.ts'
import { accessLine } from '../support/telemetry.ts'

const HOUR_MS = 3_600_000
const START = Date.parse('2026-11-05T00:00:00Z')
const HOURS = 16

describe('a rate', () => {
  const hours = (counts: number[]) =>
    counts.map((requests, at) => ({ hour: new Date(START + at * HOUR_MS).toISOString(), requests }))

  test('of a timer is regular, also where it is off by a few, and in the hours that are not whole', () => {
    expect(isRegular(hours([100, ...Array.from({ length: 14 }, (_, at) => 240 + (at % 3) - 1), 7]))).toBe(true)
  })
  test('that misses an hour, changes, or is known for too few hours is not', () => {
    const steady = Array.from({ length: 16 }, () => 240)
    expect(isRegular(hours(steady).filter((_, at) => at !== 7))).toBe(false)
    expect(isRegular(hours([...steady, ...steady.map((n) => n * 2)]))).toBe(false)
    expect(isRegular(hours(steady.slice(0, 13)))).toBe(false)
    expect(isRegular([])).toBe(false)
  })
  test('of random arrivals is not, in 1,000 tries', () => {
    const random = seeded(11)
    const poisson = (mean: number) => {
      let [n, at] = [-1, 0]
      while (at < mean) {
        at -= Math.log(1 - random())
        n++
      }
      return n
    }
    const found = Array.from({ length: 1000 }, () => isRegular(hours(Array.from({ length: 14 }, () => poisson(20)))))
    expect(found.filter((is) => is).length).toBeLessThanOrEqual(3)
  })
})

/** Lines of one caller: `everyMs` apart, or as random. */
function lines(
  from: string,
  path: string,
  everyMs: number,
  agent = '',
  more: object = {},
  jitter = () => 0.5,
): string[] {
  const count = Math.floor((HOURS * HOUR_MS) / everyMs)
  return Array.from({ length: count }, (_, at) => {
    const time = START + (at + jitter()) * everyMs
    const line = accessLine({ from, to: 'shop/orders', path, at: new Date(time).toISOString() })
    return JSON.stringify({ ...JSON.parse(line), user_agent: agent, ...more })
  })
}

describe('callers of a mesh', () => {
  const random = seeded(5)
  const KUBE = 'kube-probe/1.33'
  let api: TestApi
  beforeAll(async () => {
    api = await openApi('noise')
    const sent = [
      lines('infra/kubelet', '/app-health/orders/readyz', 120_000, KUBE),
      lines('infra/prometheus', '/metrics', 60_000, 'Prometheus/3.5.0'),
      // Its user agent is its own, and its rate tells.
      lines('infra/agent', '/metrics', 60_000, 'agent'),
      lines('infra/blackbox', '/checkout', 300_000, 'Blackbox Exporter/0.27.0'),
      // Not noise: a path alone, an agent alone, an agent and more than its paths, another method, a refusal, a job without an agent.
      lines('shop/person', '/healthz', 200_000, 'curl/8', {}, () => random() * 30),
      lines('shop/liar', '/orders/1', 700_000, KUBE, {}, () => random() * 30),
      lines('shop/hidden', '/healthz', 600_000, KUBE),
      lines('shop/hidden', '/admin', 9_000_000, KUBE),
      lines('shop/writer', '/healthz', 600_000, KUBE, { method: 'POST' }),
      lines('shop/refused', '/metrics', 600_000, 'Prometheus/3.5.0'),
      [
        JSON.stringify({
          ...JSON.parse(accessLine({ from: 'shop/refused', path: '/metrics', denied: true })),
          user_agent: 'Prometheus/3.5.0',
        }),
      ],
      lines('shop/job', '/prices', 60_000, 'node'),
    ].flat()
    const body = Buffer.from(sent.join('\n'))
    await ingestRequest(api.store, createCommitter(api.store), findSource('istio-json'), operator(), body)
  }, 120_000)
  afterAll(() => api.close())

  // A caller that no proxy tells of itself is its identity.
  const nameOf = (id: string) => id.replace(/^spiffe:\/\/cluster.local\/ns\/(.*)\/sa\//, '$1/')
  const callers = (graph: Graph) => graph.edges.map(({ source }) => nameOf(source)).sort()

  test('are all shown unless one asks', async () => {
    const graph = (await api.ask('/api/v1/edges')).json<Graph>()
    expect(graph.edges).toHaveLength(10)
    expect(graph).not.toHaveProperty('hidden')
  })

  test('that are noise are hidden on request, with their evidence; what only looks like it is not', async () => {
    const graph = (await api.ask('/api/v1/edges?hide_noise=true')).json<Graph>()
    expect(callers(graph)).toEqual([
      'shop/hidden',
      'shop/job',
      'shop/liar',
      'shop/person',
      'shop/refused',
      'shop/writer',
    ])
    const told = graph.hidden?.map(({ source, kind, requests }) => [nameOf(source), kind, requests])
    expect(told?.sort()).toEqual([
      ['infra/agent', 'scraper', 960],
      ['infra/blackbox', 'monitor', 192],
      ['infra/kubelet', 'probe', 480],
      ['infra/prometheus', 'scraper', 960],
    ])
    const why = (source: string) => graph.hidden?.find((one) => nameOf(one.source) === source)?.why
    expect(why('infra/agent')).toBe('asks only for /metrics; at the same rate every hour')
    expect(why('infra/kubelet')).toContain('the user agent of a probe')
  })

  test('are known by their rate when the facts are gone', async () => {
    await api.store.jobs.command({ query: 'TRUNCATE TABLE request' })
    const graph = (await api.ask('/api/v1/edges?hide_noise=true')).json<Graph>()
    expect(graph.hidden?.map(({ kind }) => kind).sort()).toEqual(['probe', 'scraper', 'scraper'])
  })
})
