import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessLine } from '../support/telemetry.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('stages')
}, 60_000)
afterAll(() => store.close())

/** A line of the recommended format with `%ACCESS_LOG_TYPE%`, as Envoy names it. */
const line = (path: string, type: string | undefined, denied = false) =>
  JSON.stringify({ ...(JSON.parse(accessLine({ path, denied })) as object), access_log_type: type })

test('a long stream that is logged at its start, meanwhile and at its end is one request, decided once', async () => {
  const lines = [
    line('/stream', 'DownstreamStart'),
    line('/stream', 'DownstreamPeriodic'),
    line('/stream', 'DownstreamPeriodic'),
    line('/stream', 'DownstreamEnd', true),
    // Without the key, "-" as Envoy writes what it does not know, or of a later Envoy: an end, as before.
    line('/plain', undefined),
    line('/dash', '-'),
    line('/later', 'DownstreamSomething'),
    // Behind what a container runtime puts before it: the longer way.
    `2026-11-05T10:00:00.1Z stdout F ${line('/wrapped', 'TcpUpstreamConnected')}`,
  ]
  const { accepted, rejected } = await store.file('istio-json', lines.join('\n'), 'stages')
  expect({ accepted, rejected }).toEqual({ accepted: lines.length, rejected: 0 })
  expect(
    await store.rows(
      `SELECT path, toString(stage) AS stage, toString(decision) AS decision, count() AS n FROM request
       GROUP BY path, stage, decision ORDER BY path, stage`,
    ),
  ).toEqual([
    { path: '/dash', stage: 'end', decision: 'allowed', n: 1 },
    { path: '/later', stage: 'end', decision: 'allowed', n: 1 },
    { path: '/plain', stage: 'end', decision: 'allowed', n: 1 },
    { path: '/stream', stage: 'end', decision: 'denied', n: 1 },
    { path: '/stream', stage: 'periodic', decision: 'allowed', n: 2 },
    { path: '/stream', stage: 'start', decision: 'undecided', n: 1 },
    { path: '/wrapped', stage: 'start', decision: 'undecided', n: 1 },
  ])
  // What graphs, permissions and replay read: ends only.
  for (const table of ['operation_usage', 'operation_usage_day', 'edge_usage_hour', 'edge_usage_day'])
    expect(await store.rows(`SELECT sum(requests) AS requests, sum(denied) AS denied FROM ${table}`)).toEqual([
      { requests: 3, denied: 1 },
    ])
})
