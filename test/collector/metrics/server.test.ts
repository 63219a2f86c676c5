import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countMetrics } from '../../../services/analyzer/metrics/count.ts'
import { createCommitter } from '../../../services/collector/commit.ts'
import { ingestRequest } from '../../../services/collector/ingest.ts'
import { operator } from '../../../services/collector/origin.ts'
import { findSource } from '../../../services/collector/sources/index.ts'
import { countedByCallee, loggedByCallee, metricEdgeRows } from '../../../services/store/queries/metric-rollups.ts'
import { query, type Store } from '../../../services/store/store.ts'
import { openOnServer } from '../../store/start-server.ts'
import { sourceDir } from '../facts.ts'
import { istioLabels, series } from './target.ts'

const dir = mkdtempSync(join(tmpdir(), 'cinch-metrics-server-'))
let opened: Awaited<ReturnType<typeof openOnServer>>
let store: Store

beforeAll(async () => {
  opened = await openOnServer(dir)
  ;({ store } = opened)
}, 60_000)

afterAll(async () => {
  await opened?.close()
  rmSync(dir, { recursive: true, force: true })
})

test('a store behind HTTP takes all three forms, and counts them', async () => {
  const committer = createCommitter(store)
  const send = (source: string, bytes: Buffer) =>
    ingestRequest(store, committer, findSource(source), operator('far'), bytes)
  const look = (seconds: number, value: number) =>
    `${1764000000000 + seconds * 1000}\tp:1/x\t${series('istio_requests_total', istioLabels('web', 'orders'))} ${value}\n`
  expect(await send('istio-metrics', Buffer.from(look(0, 3) + look(15, 10)))).toMatchObject({
    accepted: 2,
    rejected: 0,
  })
  const written = readFileSync(new URL('samples/prometheus-2.42.0.binpb', sourceDir('istio-metrics')))
  expect(await send('istio-metrics', written)).toMatchObject({ accepted: 5, rejected: 0 })
  const sdk = readFileSync(new URL('samples/sdk-cumulative.binpb', sourceDir('otlp-metrics')))
  expect(await send('otlp-metrics', sdk)).toMatchObject({ rejected: 0 })
  expect(await countMetrics(store)).toBeGreaterThan(0)
  const rows = await query<{ source_format: string; requests: number }>(
    store.reads,
    `SELECT metric, destination_workload AS callee, sum(h.requests) AS requests FROM metric_hour AS h FINAL WHERE h.requests > 0 GROUP BY metric, callee ORDER BY metric, callee`,
  )
  expect(rows).toEqual([
    { metric: 'http.client.request.duration', callee: '', requests: 21 },
    { metric: 'http.server.request.duration', callee: 'orders-v2', requests: 25 },
    { metric: 'istio_requests_total', callee: 'orders', requests: 7 },
    { metric: 'istio_requests_total', callee: 'orders-v2', requests: 21 },
  ])
  const window = { since: '2020-01-01T00:00:00Z', until: '2100-01-01T00:00:00Z' }
  const edges = await metricEdgeRows(store.reads, window)
  expect(edges.map((row) => row.requests).sort((a, b) => a - b)).toEqual([7, 21, 21, 25])
  expect((await countedByCallee(store.reads, window)).length).toBeGreaterThan(0)
  expect(await loggedByCallee(store.reads, window)).toEqual([])
})
