import { describe, expect, test } from 'vitest'
import { createNames } from '../../services/analyzer/graph/calls.ts'
import { buildGraph } from '../../services/analyzer/graph/graph.ts'
import { observe } from '../../services/analyzer/graph/observed.ts'
import type { GraphEdge } from '../../services/model/graph.ts'
import { EMPTY_INVENTORY, type Inventory } from '../../services/model/inventory.ts'
import type { HourRow, OperationRow, UsageRow } from '../../services/store/queries/rollups.ts'
import { seeded } from '../policy-gen/support.ts'
import { calleeSees, callerSees, inventoryOf, NOTHING, principal, spanSees, workload } from './rows.ts'

/*
 * Whose word counts where several channels and reporters tell of the same calls. Rows are made from single requests, whose marks
 * the channels that told of them share.
 */
const WINDOW = { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' }
const SHOP = inventoryOf(workload('web'), workload('orders'), workload('users'))
const hourText = (hour: number) => `2026-01-01T${String(hour).padStart(2, '0')}:00:00Z`

/** A request of the caller `by`, in an hour of the window. */
interface Request {
  mark: number
  hour: number
  by: string
}

const requests = (count: number, hours: [from: number, to: number], by = 'web', from = 1): Request[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ mark: from + index, by },
    hour: hours[0] + Math.floor((index * (hours[1] - hours[0])) / count),
  }))

const least = (some: Request[]) => Math.min(...some.map(({ mark }) => mark))

/** The least mark of each operation: every sixth request is of the same. */
const OPERATIONS = 6
const marksOf = (some: Request[]) => [...Map.groupBy(some, ({ mark }) => mark % OPERATIONS).values()].map(least)

/** What a channel tells of requests: the rows of the window and those of its hours. */
function told(
  sender: string,
  seen: Request[],
  rowOf = (by: string): UsageRow => calleeSees({ source_principal: principal(by) }),
) {
  const rows: UsageRow[] = []
  const hours: HourRow[] = []
  for (const [by, own] of Map.groupBy(seen, (request) => request.by)) {
    const edge = `${sender} ${by} ${rowOf(by).reporter}`
    const usage = (some: Request[]) => ({ requests: some.length, mark: least(some) })
    const active = own.reduce((bits, { hour }) => bits | (1 << hour), 0)
    rows.push({ ...rowOf(by), sender, edge, active, ...usage(own) })
    const { first_seen, last_seen } = NOTHING
    for (const [hour, some] of Map.groupBy(own, (request) => request.hour))
      hours.push({
        edge,
        hour: hourText(hour),
        first_seen,
        last_seen,
        denied: 0,
        requests: some.length,
        marks: marksOf(some),
      })
  }
  return { rows, hours }
}

type Channel = ReturnType<typeof told>

async function graphOf(channels: Channel[], inventory: Inventory = SHOP) {
  const asked: string[][] = []
  const hours = channels.flatMap((channel) => channel.hours)
  const rows = channels.flatMap((channel) => channel.rows)
  const observed = await observe(rows, createNames(rows, inventory), async (edges) => {
    asked.push(edges)
    return hours.filter(({ edge }) => edges.includes(edge))
  })
  return { ...observed, edges: buildGraph(WINDOW, observed).edges, asked }
}

const counts = (edges: GraphEdge[]) =>
  edges.map(({ source, destination, requests: n }) => `${source} ${destination} ${n}`)
const alone = (row: UsageRow): Channel => ({ rows: [row], hours: [] })

describe('channels that told of the same requests', () => {
  const all = requests(100, [0, 5])

  test('are one: the one that saw most is taken, and the sums of the window are enough', async () => {
    const { edges, asked } = await graphOf([told('file', all), told('als', all.slice(0, 90)), told('kafka', all)])
    expect(counts(edges)).toEqual(['shop/web shop/orders 100'])
    expect(asked).toEqual([])
  })

  test('are one also where each lost some, if they share others to the same callee', async () => {
    const others = requests(20, [0, 5], 'users', 1_000)
    // Of web's requests the two have marks in common, but the least of each channel is lost in the other.
    const { edges } = await graphOf([
      told('file', [...all.slice(1), ...others]),
      told('als', [...all.slice(0, 1), ...all.slice(2), ...others]),
    ])
    expect(counts(edges)).toEqual(['shop/users shop/orders 20', 'shop/web shop/orders 99'])
  })

  test('are one whatever they call the ends', async () => {
    const plain = { source_principal: '', source_evidence: 'none', mtls: 'no' } as const
    const byAddress = () =>
      calleeSees({
        ...plain,
        source_address: '::ffff:10.0.0.9',
        destination_service: '',
        destination_principal: '',
        destination_address: '::ffff:10.0.0.5',
      })
    const byName = () =>
      calleeSees({
        ...plain,
        source_address: '::ffff:10.0.0.9',
        destination_service: '',
        destination_namespace: 'shop',
        destination_workload: 'orders',
      })
    const { edges } = await graphOf([told('file', all, byAddress), told('als', all, byName)])
    expect(counts(edges)).toEqual(['address:10.0.0.9 shop/orders 100'])
  })

  test('count by the stronger evidence, though the weaker saw more', async () => {
    const claimed = () => calleeSees({ source_evidence: 'claimed' })
    const { edges } = await graphOf([
      told(
        'als',
        all.filter(({ mark }) => mark % 10 < 7),
      ),
      told('text', all, claimed),
    ])
    expect(edges).toMatchObject([{ requests: 70, evidence: 'verified' }])
  })

  test('a change from one to the other, with an overlap, loses no hour and counts none twice', async () => {
    const day = requests(240, [0, 24])
    const before = day.filter(({ hour }) => hour < 14)
    const after = day.filter(({ hour }) => hour >= 11)
    const { edges, partial } = await graphOf([told('file', before), told('als', after)])
    expect(counts(edges)).toEqual(['shop/web shop/orders 240'])
    const hours = [...partial.values()].flat()
    expect(hours.toSorted()).toEqual(Array.from({ length: 24 }, (_, hour) => hourText(hour)))
  })
})

describe('channels that have no request in common', () => {
  test('add up: two halves of a callee’s proxies, each with a sender of its own', async () => {
    const { edges } = await graphOf([told('a', requests(30, [0, 9])), told('b', requests(50, [0, 9], 'web', 500))])
    expect(counts(edges)).toEqual(['shop/web shop/orders 80'])
  })

  test('what was counted before there were marks adds up with what came after', async () => {
    const before = told('', requests(10, [0, 9]))
    for (const row of before.rows) row.mark = 0
    for (const row of before.hours) row.marks = [0]
    const { edges } = await graphOf([before, told('file', requests(10, [9, 20]))])
    expect(counts(edges)).toEqual(['shop/web shop/orders 20'])
  })
})

test('a weaker reporter counts in the hours in which the stronger was silent, and in no other', async () => {
  const ofCallee = told('file', requests(60, [6, 12]))
  const ofCaller = told('file', requests(120, [0, 12], 'web', 1_000), () => callerSees())
  const { edges } = await graphOf([ofCallee, ofCaller])
  expect(counts(edges)).toEqual(['shop/web shop/orders 120'])
})

test('operations follow the choice', async () => {
  const all = requests(10, [0, 5])
  const { operations } = await graphOf([told('file', all), told('als', all)])
  const operation = (sender: string): OperationRow => ({
    ...calleeSees({ sender, edge: `${sender} web destination`, requests: 10 }),
    ...{ method: 'GET', shape: '/a', path_flags: 0, days: 1 },
  })
  expect(operations([operation('file'), operation('als')]).calls).toHaveLength(1)
})

test('any channels that see any part of the same requests never count more than there were, and no less than the best of them', async () => {
  const random = seeded(7)
  for (let round = 0; round < 200; round++) {
    const all = requests(1 + Math.floor(random() * 60), [0, 1 + Math.floor(random() * 20)])
    const channels = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, index) => {
      const [from, to] = [Math.floor(random() * 12), 8 + Math.floor(random() * 13)]
      // Whoever tells of an hour tells of all of it: what it loses while it is there is another test's.
      return { name: `c${index}`, seen: all.filter(({ hour }) => hour >= from && hour < to) }
    }).filter(({ seen }) => seen.length > 0)
    const union = new Set(channels.flatMap(({ seen }) => seen))
    const { edges } = await graphOf(channels.map(({ name, seen }) => told(name, seen)))
    expect(
      edges.reduce((sum, edge) => sum + edge.requests, 0),
      `round ${round}`,
    ).toBe(union.size)
  }
})

test('channels that each lose up to half of what they saw are one, all the same', async () => {
  const random = seeded(11)
  for (let round = 0; round < 200; round++) {
    // Marks are hashes: which request has the least says nothing of when it came.
    const all = requests(60 + Math.floor(random() * 100), [0, 12]).map((request) => ({
      ...request,
      mark: Math.floor(random() * 2 ** 50),
    }))
    const lossy = () => all.filter(() => random() > 0.5)
    const channels = [lossy(), lossy(), lossy()]
    const { edges } = await graphOf(channels.map((seen, index) => told(`c${index}`, seen)))
    const total = edges.reduce((sum, edge) => sum + edge.requests, 0)
    expect(total, `round ${round}`).toBeLessThanOrEqual(all.length)
    expect(total, `round ${round}`).toBeGreaterThanOrEqual(Math.max(...channels.map(({ length }) => length)))
  }
})

describe('a gateway’s line', () => {
  const GATEWAY: Partial<UsageRow> = {
    reporter: 'gateway',
    enforcement_point: 'gateway',
    cluster: 'east',
    source_address: '::ffff:203.0.0.0',
    destination_namespace: 'istio-system',
    destination_workload: 'ingress',
    destination_service: 'orders.shop',
    service_port: 80,
    workload_port: 8080,
    requests: 9,
    denied: 4,
  }
  const row = (more: Partial<UsageRow> = {}): UsageRow => ({ ...NOTHING, ...GATEWAY, ...more })

  test('tells of the call to the gateway, where the callee tells of the other', async () => {
    const callee = calleeSees({ edge: 'b', source_principal: 'cluster.local/ns/istio-system/sa/ingress', requests: 9 })
    const { edges } = await graphOf([alone(row({ edge: 'a' })), alone(callee)])
    expect(edges).toMatchObject([
      { source: 'address:203.0.0.0', destination: 'istio-system/ingress', requests: 9, denied: 4, evidence: 'none' },
      { source: 'spiffe://cluster.local/ns/istio-system/sa/ingress', destination: 'shop/orders', requests: 9 },
    ])
  })

  test('tells of both where the callee does not, and of what it refused only on the first', async () => {
    const { edges } = await graphOf([alone(row({ edge: 'a' }))])
    expect(edges).toMatchObject([
      { source: 'address:203.0.0.0', destination: 'istio-system/ingress', requests: 9, denied: 4, workload_port: 0 },
      { source: 'istio-system/ingress', destination: 'shop/orders', requests: 9, denied: 0, evidence: 'address' },
    ])
    const refused = await graphOf([alone(row({ edge: 'a', requests: 0 }))])
    expect(refused.edges).toMatchObject([{ destination: 'istio-system/ingress', requests: 0, denied: 4 }])
  })

  test('of one that shows a public certificate, and whose file names no Pod, is its address', async () => {
    const { edges } = await graphOf([
      alone(
        row({
          edge: 'a',
          destination_workload: '',
          destination_namespace: 'shop',
          destination_address: '::ffff:10.0.0.2',
        }),
      ),
      alone(calleeSees({ edge: 'b' })),
    ])
    expect(edges[0]).toMatchObject({ source: 'address:203.0.0.0', destination: 'address:10.0.0.2', requests: 9 })
  })

  test('of a waypoint is the callee’s own enforcement: the caller calls the callee', async () => {
    const { edges } = await graphOf([
      alone(row({ edge: 'a', enforcement_point: 'waypoint', source_principal: principal('web') })),
    ])
    expect(edges).toMatchObject([{ source: 'shop/web', destination: 'shop/orders', requests: 9, denied: 4 }])
  })
})

test('a transit gateway’s connection is the caller’s, and the callee tells of it', async () => {
  const flow = { edge: 'a', reporter: 'flow', protocol: 'tcp', destination_service: 'orders.shop' } as const
  const transit: UsageRow = {
    ...NOTHING,
    ...flow,
    source_address: '::ffff:10.0.0.9',
    enforcement_point: 'transit',
    requests: 3,
  }
  const { edges } = await graphOf([alone(transit), alone(calleeSees({ edge: 'b', requests: 8 }))])
  expect(counts(edges)).toEqual(['shop/web shop/orders 8'])
  expect(counts((await graphOf([alone(transit)])).edges)).toEqual(['address:10.0.0.9 shop/orders 3'])
})

describe('spans of proxies, which name themselves by service and namespace', () => {
  const span = (more: Partial<UsageRow> = {}) =>
    spanSees({
      edge: 'span',
      source_namespace: '',
      source_workload: 'web.shop',
      destination_namespace: '',
      destination_workload: 'orders.shop',
      ...more,
    })

  test('tell of what the callee’s proxy tells of', async () => {
    const rows = [alone(span({ requests: 50 })), alone(calleeSees({ edge: 'b', requests: 60 }))]
    expect(counts((await graphOf(rows)).edges)).toEqual(['shop/web shop/orders 60'])
  })

  test('alone, of the workloads that the inventory has; without one, of names', async () => {
    expect((await graphOf([alone(span({ requests: 5 }))])).edges).toMatchObject([
      { source: 'shop/web', destination: 'shop/orders', evidence: 'claimed' },
    ])
    expect(counts((await graphOf([alone(span({ requests: 5 }))], EMPTY_INVENTORY)).edges)).toEqual([
      'web.shop orders.shop 5',
    ])
  })

  test('raise nobody: a span that names another has the evidence of a claim', async () => {
    const { edges } = await graphOf([
      alone(calleeSees({ edge: 'b', source_principal: principal('users'), requests: 6 })),
      alone(span({ requests: 90 })),
    ])
    expect(edges.map(({ source, evidence, requests: n }) => [source, evidence, n])).toEqual([
      ['shop/users', 'verified', 6],
      ['shop/web', 'claimed', 90],
    ])
  })
})

describe('a mark', () => {
  test('never makes one of two names: a sender that copies another’s connection and time hides nobody', async () => {
    const mallory = told('mallory', requests(9, [0, 5]), () => calleeSees({ source_principal: principal('mallory') }))
    const { edges } = await graphOf([told('file', requests(9, [0, 5])), mallory])
    expect(counts(edges)).toEqual(['shop/web shop/orders 9', 'spiffe://cluster.local/ns/shop/sa/mallory shop/orders 9'])
  })

  test('says nothing across clusters, whose addresses may be the same', async () => {
    const inCluster = (cluster: string) => () => calleeSees({ cluster })
    const rows = ['east', 'west'].map((cluster) => told(cluster, requests(9, [0, 5]), inCluster(cluster)))
    expect(counts((await graphOf(rows)).edges)).toEqual(['shop/web shop/orders 18'])
  })
})
