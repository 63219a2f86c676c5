import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cinch, openCinch } from '../../services/api/cinch.ts'
import { operator } from '../../services/collector/origin.ts'
import type { Change } from '../../services/model/comparison.ts'
import { openStore, type Store } from '../../services/store/store.ts'
import { random as seeded } from '../scenarios/random.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

/** What is expected is counted here, from the draws that the lines are made of. */
const room = scratch('compare')
const EARLIER = { since: '2026-11-02T00:00:00Z', until: '2026-11-05T00:00:00Z' }
const LATER = { since: '2026-11-05T05:00:00Z', until: '2026-11-07T09:00:00Z' }
const SERVICES = 8
const PATHS = 5
let store: Store
let cinch: Cinch

interface Made {
  caller: number
  callee: number
  path: number
  window: typeof EARLIER
  denied: boolean
  port: number
}

function draw(): Made[] {
  const random = seeded(3, 'calls')
  const int = (below: number) => Math.floor(random() * below)
  return Array.from({ length: 400 }, () => ({
    caller: int(SERVICES),
    callee: int(SERVICES),
    path: int(PATHS),
    window: random() < 0.5 ? EARLIER : LATER,
    denied: random() < 0.02,
    port: random() < 0.7 ? 80 : 81,
  }))
}

const principal = (service: number) => `cluster.local/ns/shop/sa/s${service}`

function timeOf({ window }: Pick<Made, 'window'>, index: number): number {
  const start = Date.parse(window.since)
  return Math.floor(start + ((index * 7919) % 1000) * ((Date.parse(window.until) - start) / 1000))
}

/** The callee's line in Istio's recommended JSON; calls of one pair come to two ports, so that they are two edges. */
function lineOf({ caller, callee, path, window, denied, port }: Made, index: number): string {
  const time = new Date(timeOf({ window }, index)).toISOString()
  return JSON.stringify({
    start_time: time,
    method: 'GET',
    path: `/p${path}`,
    protocol: 'HTTP/1.1',
    response_code: denied ? 403 : 200,
    response_code_details: denied ? 'rbac_access_denied_matched_policy[none]' : 'via_upstream',
    upstream_cluster: `inbound|${port}||`,
    authority: `s${callee}.shop`,
    source_principal: `spiffe://${principal(caller)}`,
    destination_principal: `spiffe://${principal(callee)}`,
  })
}

const made = draw()
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  cinch = await openCinch(store)
  await cinch.ingestRequest('istio-json', operator(), Buffer.from(made.map(lineOf).join('\n')))
  await cinch.analyze()
}, 60_000)
afterAll(async () => {
  await cinch.close()
  await store.close()
  room.close()
})

function changes(key: (call: Made) => string): Map<string, Change> {
  const of = (window: typeof EARLIER) => new Set(made.filter((call) => call.window === window).map(key))
  const [before, now] = [of(EARLIER), of(LATER)]
  const found = new Map<string, Change>()
  for (const name of now) if (!before.has(name)) found.set(name, 'new')
  for (const name of before) if (!now.has(name)) found.set(name, 'gone')
  return found
}

test('edges that are new and gone are those, and only those', async () => {
  const { edges, totals } = await cinch.compare(LATER, EARLIER, 'namespace')
  const told = changes(({ caller, callee }) => `s${caller} s${callee}`)
  const name = (id: string) => id.replace(/^.*\//, '')
  const found = edges.filter(({ change }) => change !== 'changed')
  expect(new Map(found.map((edge) => [`${name(edge.source)} ${name(edge.destination)}`, edge.change]))).toEqual(told)
  expect(totals.edges.new + totals.edges.gone).toBe(told.size)
})

test('operations too, whichever edge of a pair they are on', async () => {
  const { operations, totals } = await cinch.compare(LATER, EARLIER, 'namespace')
  const told = changes(({ caller, callee, path }) => `s${caller} s${callee} /p${path}`)
  const name = (id: string) => id.replace(/^.*\//, '')
  const found = operations.map(
    (row) => [`${name(row.source)} ${name(row.destination)} ${row.path}`, row.change] as const,
  )
  expect(told.size).toBeGreaterThan(50)
  expect(new Map(found)).toEqual(told)
  expect(totals.operations.new + totals.operations.gone).toBe(told.size)
})

test('groups count the same changes, and presence tells of all that is stored', async () => {
  const { edges, groups } = await cinch.compare(LATER, EARLIER, 'namespace')
  const count = (change: Change) => edges.filter((edge) => edge.change === change).length
  expect(groups).toEqual([
    {
      source: 'group:/shop',
      destination: 'group:/shop',
      new: count('new'),
      gone: count('gone'),
      changed: count('changed'),
    },
  ])
  const number = (id: string) => Number(id.replace(/^.*s/, ''))
  for (const { source, destination, first_seen, last_seen } of edges) {
    const times = made.flatMap((call, index) =>
      call.caller === number(source) && call.callee === number(destination) ? [timeOf(call, index)] : [],
    )
    expect([Date.parse(first_seen), Date.parse(last_seen)]).toEqual([Math.min(...times), Math.max(...times)])
  }
})

test('a window against itself has no changes', async () => {
  const { edges, operations, totals } = await cinch.compare(EARLIER, EARLIER, 'namespace')
  expect({ edges, operations }).toEqual({ edges: [], operations: [] })
  expect(totals.edges).toEqual({ new: 0, gone: 0, changed: 0 })
})
