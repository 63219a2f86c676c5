import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cinch, openCinch } from '../../services/api/cinch.ts'
import type { Graph } from '../../services/model/graph.ts'
import { openStore, run, type Store } from '../../services/store/store.ts'
import { newStore } from '../support/new-store.ts'

/*
 * The same requests in two channels, of which one began before the other ended: a request every minute from 05:00 of the 17th for
 * three days, `/a` and in every eleventh `/b`, refused in every seventh. The store's own sums are compared with these numbers.
 */
const MINUTES = 3 * 24 * 60
const START = '2026-11-17 05:00:00'
const OLD_UNTIL_MINUTE = 30 * 60
const NEW_FROM_MINUTE = 26 * 60 + 30

const dir = mkdtempSync(join(tmpdir(), 'cinch-channels-'))
let store: Store
let cinch: Cinch
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(dir) })
  cinch = await openCinch(store)
  await insert('istio-json', 'operator', 0, OLD_UNTIL_MINUTE)
  await insert('envoy-als', 'proxies', NEW_FROM_MINUTE, MINUTES)
})
afterAll(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

/** The access log service tells microseconds, and the workload; the file milliseconds, and the service. */
async function insert(format: string, sender: string, from: number, until: number): Promise<void> {
  const isFile = format === 'istio-json'
  await run(
    store.jobs,
    `INSERT INTO request (time, source_format, sender, reporter, source_principal, source_evidence, source_address, source_port, destination_workload,
       destination_namespace, destination_service, destination_principal, destination_address, workload_port, protocol, method, shape, decision, stage)
     SELECT
       toDateTime64('${START}', 6, 'UTC') + toIntervalMinute(number) + toIntervalMicrosecond(${isFile ? 123_000 : 123_456}), {format:String}, {sender:String},
       'destination', 'td/ns/shop/sa/web', 'verified', toIPv6('::ffff:10.0.0.1'), 40000 + number % 1000, {workload:String}, 'shop', 'orders.shop',
       'td/ns/shop/sa/orders', toIPv6('::ffff:10.0.0.2'), 8080, 'http', 'GET', if(number % 11 = 0, '/b', '/a'), if(number % 7 = 0, 'denied', 'allowed'), 'end'
     FROM numbers({from:UInt32}, {count:UInt32})`,
    { format, sender, workload: isFile ? '' : 'orders', from, count: until - from },
  )
}

const countIf = (minutes: [number, number], isIt: (minute: number) => boolean) => {
  let count = 0
  for (let minute = minutes[0]; minute < minutes[1]; minute++) if (isIt(minute)) count++
  return count
}

const hour = (text: string) => (Date.parse(text) - Date.parse('2026-11-17T05:00:00Z')) / 60_000

describe.each([
  ['all of it', '2026-11-17T00:00:00Z', '2026-11-21T00:00:00Z'],
  ['hours with the change in them', '2026-11-18T03:00:00Z', '2026-11-18T15:00:00Z'],
  ['the day of the change', '2026-11-18T00:00:00Z', '2026-11-19T00:00:00Z'],
  ['before it', '2026-11-17T00:00:00Z', '2026-11-18T07:00:00Z'],
  ['after it', '2026-11-19T00:00:00Z', '2026-11-20T00:00:00Z'],
])('%s', (_, since, until) => {
  const minutes: [number, number] = [Math.max(0, hour(since)), Math.min(MINUTES, hour(until))]
  // In the hour in which the new one began, and the old one goes on, the old one saw more.
  const expected = {
    requests: countIf(minutes, (minute) => minute % 7 !== 0),
    denied: countIf(minutes, (minute) => minute % 7 === 0),
  }
  const sums = (graph: Graph) => ({
    requests: graph.edges.reduce((sum, edge) => sum + edge.requests, 0),
    denied: graph.edges.reduce((sum, edge) => sum + edge.denied, 0),
  })

  test('the graph counts each request once', async () => {
    expect(sums(await cinch.edges({ since, until }))).toEqual(expected)
    expect(sums(await cinch.graph({ since, until }))).toEqual(expected)
  })

  test('and so do operations, which policies and replay read', async () => {
    const { operations } = await cinch.operations({ since, until })
    const seldom = operations.filter(({ path }) => path === '/b')
    expect(seldom.reduce((sum, { requests, denied }) => sum + requests + denied, 0)).toBe(
      countIf(minutes, (minute) => minute % 11 === 0),
    )
  })
})

test('rollups of the two ways hold what each told', async () => {
  const { edges } = await cinch.edges({ since: '2026-11-18T07:00:00Z', until: '2026-11-18T08:00:00Z' })
  // The new one began at 07:30.
  expect(edges.reduce((sum, edge) => sum + edge.requests + edge.denied, 0)).toBe(60)
})
