import { expect, test } from 'vitest'
import { countRequest, metricsText } from '../../services/api/metrics.ts'
import { Registry, SERIES_MAX } from '../../services/telemetry/registry.ts'

const flow = { source: 'istio-json', sender: 'edge', receiver: 'http' }

test('counters, histograms and gauges in the text format of Prometheus', () => {
  const registry = new Registry()
  registry.accepted(flow, 3)
  registry.accepted(flow, 4)
  registry.rejected({ ...flow, sender: 'a"b\\c\nd' }, 1)
  registry.dropped(flow, 0)
  registry.batch(flow, 2000, 0.2)
  registry.batch(flow, 100, 20)
  const free = registry.gauge(
    { name: 'cinch.spool.size', unit: 'By', description: 'Bytes.', attributes: { 'cinch.part': 'x' } },
    () => 17,
  )
  registry.gauge({ name: 'broken', unit: '1', description: 'Never.' }, () => Number.NaN)
  countRequest(registry, 'GET', '/api/v1/edges', 200, 3)
  const text = metricsText(registry, [])
  const lines = text.split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '# TYPE cinch_ingest_accepted_total counter',
      'cinch_ingest_accepted_total{source="istio-json",sender="edge",receiver="http"} 7',
      'cinch_ingest_rejected_total{source="istio-json",sender="a\\"b\\\\c\\nd",receiver="http"} 1',
      '# TYPE cinch_ingest_batch_size_bytes histogram',
      'cinch_ingest_batch_size_bytes_bucket{source="istio-json",sender="edge",receiver="http",le="1024"} 1',
      'cinch_ingest_batch_size_bytes_bucket{source="istio-json",sender="edge",receiver="http",le="16384"} 2',
      'cinch_ingest_batch_size_bytes_sum{source="istio-json",sender="edge",receiver="http"} 2100',
      'cinch_ingest_insert_duration_seconds_bucket{source="istio-json",sender="edge",receiver="http",le="10"} 1',
      'cinch_ingest_insert_duration_seconds_bucket{source="istio-json",sender="edge",receiver="http",le="+Inf"} 2',
      'cinch_spool_size_bytes{cinch_part="x"} 17',
      'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/api/v1/edges",http_response_status_code="200"} 1',
    ]),
  )
  expect(text).not.toContain('cinch_ingest_dropped_total{')
  expect(text).not.toContain('broken{')
  free()
  expect(metricsText(registry, [])).not.toContain('cinch_spool_size_bytes')
})

test('however many senders there are, the number of series is bounded, and nothing is uncounted', () => {
  const registry = new Registry()
  for (let index = 0; index < SERIES_MAX + 500; index++) registry.accepted({ ...flow, sender: `s${index}` }, 2)
  const series = [...(registry.counters.get('cinch.ingest.accepted')?.values() ?? [])]
  expect(series).toHaveLength(SERIES_MAX + 1)
  expect(series.reduce((sum, { value }) => sum + value, 0)).toBe((SERIES_MAX + 500) * 2)
  expect(series.at(-1)).toEqual({ attributes: { 'otel.metric.overflow': true }, value: 1000 })
})

test('a span passes on what its work gives and throws, exported or not', async () => {
  const registry = new Registry()
  expect(await registry.span('x', {}, async () => 5)).toBe(5)
  await expect(registry.job('x', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect([...(registry.histograms.get('cinch.job.duration')?.values() ?? [])]).toMatchObject([{ count: 1 }])
})
