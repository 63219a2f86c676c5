import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exposition } from '../../../services/collector/receivers/exposition.ts'
import { sourceDir } from '../facts.ts'
import { openTestStore, type TestStore } from '../support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('metric-samples')
}, 60_000)
afterAll(() => store.close())

const sample = (file: string) => readFileSync(new URL(`samples/${file}`, sourceDir('istio-metrics')))
const expected = readFileSync(new URL('expected.jsonl', sourceDir('istio-metrics')), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Record<string, unknown>)
const ofFile = (name: string) => expected.filter(({ file }) => file === name).map(({ file: _, ...row }) => row)

const stored = async (cluster: string) =>
  (
    await store.rows(
      `SELECT b.metric AS metric, reporter, concat(source_namespace, '/', source_workload) AS source, source_principal, source_evidence,
       concat(destination_namespace, '/', destination_workload) AS destination, destination_principal, destination_service, destination_kind, protocol, mtls,
       status, response_flags, value
     FROM (SELECT sender, target, series, max(s.value) AS value FROM metric_sample AS s WHERE s.metric != 'cinch_scrape' GROUP BY sender, target, series) AS a
     INNER JOIN (SELECT * FROM metric_series FINAL) AS b USING (sender, target, series) WHERE cluster = {cluster:String}`,
      { cluster },
    )
  ).sort(byText)
const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

test.each([
  ['istio-stats.prom', 1],
  ['linkerd-proxy.prom', 1],
])('%s: what the references say that its labels mean', async (file, others) => {
  const page = exposition(sample(file), 1764000000000, 'proxy:1/metrics')
  // `request_total` without a direction is some application's own.
  const notLinkerds = file === 'linkerd-proxy.prom' ? 1 : 0
  expect(page.skipped + notLinkerds).toBe(others)
  const { accepted, rejected } = await store.request('istio-metrics', page.bytes, { cluster: file })
  expect({ accepted, rejected }).toEqual({ accepted: ofFile(file).length, rejected: 0 })
  expect(await stored(file)).toEqual(ofFile(file).sort(byText))
  const [batch] = await store.rows(
    'SELECT toUInt32(sum(skipped)) AS skipped FROM ingest_batch WHERE cluster = {file:String}',
    { file },
  )
  expect(batch).toEqual({ skipped: others })
})

test('what real Prometheus wrote of the same page is the same', async () => {
  await store.request('istio-metrics', sample('prometheus-2.42.0.binpb'), { cluster: 'written' })
  expect(await stored('written')).toEqual(ofFile('istio-stats.prom').sort(byText))
})

test('as files: protobuf as it is, text only where its lines have times', async () => {
  expect(await store.file('istio-metrics', sample('prometheus-2.42.0.binpb'), 'file')).toMatchObject({
    accepted: 5,
    rejected: 0,
  })
  expect(await stored('file')).toEqual(ofFile('istio-stats.prom').sort(byText))
  const text = sample('istio-stats.prom').toString()
  expect(await store.file('istio-metrics', text, 'text')).toMatchObject({ accepted: 0, rejected: 5 })
  const timed = text.replaceAll(/^(istio_.*)$/gm, '$1 1764000000000')
  expect(await store.file('istio-metrics', timed, 'timed')).toMatchObject({ accepted: 5, rejected: 0 })
  expect(await stored('timed')).toEqual(ofFile('istio-stats.prom').sort(byText))
})

test('a sender is held to its word: whom its proxies speak for', async () => {
  const page = exposition(sample('istio-stats.prom'), 1764000000000, 'proxy:1/metrics').bytes
  const origin = { sender: 'orders', cluster: 'held', speaksFor: '^(shop/orders)$' }
  expect(await store.request('istio-metrics', page, origin)).toMatchObject({ accepted: 4, rejected: 1 })
  const rejects = await store.rows(`SELECT reason, sender FROM rejected_line WHERE cluster = 'held'`)
  expect(rejects).toEqual([{ reason: 'sender_may_not', sender: 'orders' }])
  const none = { sender: 'none', cluster: 'none', evidenceCap: 'none' } as const
  await store.request('istio-metrics', page, none)
  expect((await stored('none')).map((row) => row['source_evidence'])).toEqual(Array(5).fill('none'))
})
