import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApi, type TestApi } from '../api/support.ts'

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400
/** Later than what the test itself sends, which is loaded now; at the end of a minute, for hours are counted to the minute. */
const NOW = Math.floor(Date.now() / 60_000) * MINUTE + MINUTE - 1 + HOUR

let api: TestApi
let batch = 0

/** Batches as they would have been counted: one at each of `ago` seconds before now, whose requests were `lag` old. */
async function loaded(sender: string, ago: number[], { accepted = 10, lag = 5 } = {}): Promise<void> {
  await api.store.jobs.insert({
    table: 'ingest_batch',
    format: 'JSONEachRow',
    values: ago.map((seconds) => ({
      ...{ batch: `b${batch++}`, source_format: 'istio-json', sender, cluster: 'east', accepted, rejected: 1 },
      first_time: at(NOW - seconds - lag - 1),
      last_time: at(NOW - seconds - lag),
      loaded: NOW - seconds,
    })),
  })
}

const at = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')

const range = (from: number, to: number, step: number) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step)

beforeAll(async () => {
  api = await openApi('freshness')
  await loaded('steady', range(30, 3 * DAY, MINUTE))
  await loaded('gone', range(2 * HOUR, 3 * DAY, MINUTE))
  await loaded('revoked', range(2 * HOUR, 3 * DAY, MINUTE))
  // An hour every night, the last one ten hours ago.
  const nights = range(10 * HOUR, 14 * DAY, DAY)
  await loaded(
    'nightly',
    nights.flatMap((night) => range(night, night + HOUR, MINUTE)),
    { lag: 7200 },
  )
  await loaded('rejected', [MINUTE], { accepted: 0 })
  const registration = {
    id: 'revoked',
    sources: ['istio-json'],
    cluster: 'east',
    workloads: [],
    evidence: 'verified' as const,
  }
  await api.cinch.senders.register(registration)
  await api.cinch.senders.revoke('revoked')
}, 60_000)
afterAll(() => api.close())

test('each sender has its freshness, its lag, its rate and its state', async () => {
  const source = (await api.cinch.sources(NOW * 1000)).find(({ id }) => id === 'istio-json')
  expect(source).toMatchObject({ silent: true, senders: ['gone', 'nightly', 'rejected', 'revoked', 'steady'] })
  const streams = Object.fromEntries((source?.streams ?? []).map((stream) => [stream.sender, stream]))
  const time = (ago: number) => new Date((NOW - ago) * 1000).toISOString().replace('.000', '')
  expect(streams['steady']).toMatchObject({
    ...{ state: 'live', cluster: 'east', quiet_s: 30, lag_s: 5, usual_gap_s: 60, silent_after_s: 300 },
    ...{ last_seen: time(35), loaded: time(30), facts: ((3 * DAY) / MINUTE) * 10, rejected: (3 * DAY) / MINUTE },
    per_hour: Array.from({ length: 24 }, () => 600),
  })
  expect(streams['gone']).toMatchObject({
    state: 'silent',
    quiet_s: 2 * HOUR,
    per_hour: [...Array(22).fill(600), 0, 0],
  })
  expect(streams['nightly']).toMatchObject({ state: 'live', lag_s: 7200, usual_gap_s: 60 })
  expect(streams['revoked']).toMatchObject({ state: 'retired' })
  expect(streams['rejected']).toMatchObject({ state: 'learning', last_seen: '', facts: 0, rejected: 1, lag_s: 0 })
})

test('a source of which nothing came has no streams and is not silent', async () => {
  const source = (await api.cinch.sources(NOW * 1000)).find(({ id }) => id === 'istio-text')
  expect(source).toMatchObject({ silent: false, streams: [], facts: 0, last_seen: '' })
})

test('the API and /metrics say who is silent', async () => {
  const { sources } = (await api.ask('/api/v1/sources')).json()
  expect(sources.find(({ id }: { id: string }) => id === 'istio-json').silent).toBe(true)
  const { body } = await api.ask('/metrics')
  expect(body).toContain('cinch_source_silent{source="istio-json",sender="gone",cluster="east"} 1')
  expect(body).toContain('cinch_source_silent{source="istio-json",sender="nightly",cluster="east"} 0')
  expect(body).toContain('cinch_source_silent{source="istio-json",sender="revoked",cluster="east"} 0')
  expect(body).toMatch(/cinch_source_lag_seconds\{source="istio-json",sender="nightly",cluster="east"\} 7200\n/)
})
