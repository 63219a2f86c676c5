import { describe, expect, test } from 'vitest'
import { callsOf, createNames, createNaming } from '../../services/analyzer/graph/calls.ts'
import { chooseHops } from '../../services/analyzer/graph/choice.ts'
import { buildGraph } from '../../services/analyzer/graph/graph.ts'
import { EMPTY_INVENTORY, type Inventory } from '../../services/model/inventory.ts'
import type { OperationRow, UsageRow } from '../../services/store/queries/rollups.ts'
import { calleeSees, callerSees, inventoryOf, NOTHING, principal, spanSees, workload } from './rows.ts'

const WINDOW = { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' }
function hopsOf(rows: UsageRow[], inventory: Inventory) {
  const naming = createNaming(rows, createNames(rows, inventory))
  return rows.flatMap((row) => naming(row))
}
const graphOf = (rows: UsageRow[], inventory: Inventory = EMPTY_INVENTORY) =>
  buildGraph(WINDOW, callsOf(chooseHops(hopsOf(rows, inventory)).kept))
const edgesOf = (rows: UsageRow[], inventory?: Inventory) =>
  graphOf(rows, inventory).edges.map(({ source, destination, requests, reporter }) => ({
    source,
    destination,
    requests,
    reporter,
  }))

const SHOP = inventoryOf(workload('web'), workload('orders'), workload('users'))

describe('one call is one call', () => {
  test('that both ends and a span tell of, by the strongest of them', () => {
    const rows = [calleeSees({ requests: 10 }), callerSees({ requests: 9 }), spanSees({ requests: 3 })]
    for (const order of [rows, rows.toReversed()])
      expect(edgesOf(order, SHOP)).toEqual([
        { source: 'shop/web', destination: 'shop/orders', requests: 10, reporter: 'destination' },
      ])
  })

  test('that only the caller or a span tells of counts as they say', () => {
    expect(edgesOf([callerSees({ requests: 9 }), spanSees({ requests: 3 })], SHOP)).toMatchObject([
      { requests: 9, reporter: 'source' },
    ])
    expect(edgesOf([spanSees({ requests: 3 })], SHOP)).toMatchObject([{ requests: 3, reporter: 'span' }])
  })

  test("of a caller's line without an identity, where the callee tells of it", () => {
    const silent = {
      ...callerSees({ requests: 9 }),
      source_workload: '',
      source_namespace: '',
      source_evidence: 'none' as const,
      source_address: '::ffff:10.0.0.9',
    }
    expect(edgesOf([calleeSees({ requests: 10 }), silent], SHOP)).toMatchObject([{ requests: 10 }])
    expect(edgesOf([silent], SHOP)).toMatchObject([{ source: 'address:10.0.0.9', requests: 9 }])
  })

  test('in parts: ports, protocols and evidence of the same reporter add up to edges', () => {
    const rows = [
      calleeSees({ requests: 1, workload_port: 80 }),
      calleeSees({ requests: 2, workload_port: 80, mtls: 'no', denied: 4 }),
      calleeSees({ requests: 5, workload_port: 81 }),
    ]
    const { edges } = graphOf(rows, SHOP)
    expect(
      edges.map(({ workload_port, requests, denied, mtls }) => ({ workload_port, requests, denied, mtls })),
    ).toEqual([
      { workload_port: 80, requests: 3, denied: 4, mtls: 'no' },
      { workload_port: 81, requests: 5, denied: 0, mtls: 'yes' },
    ])
  })

  test('and its operations are those of its rows', () => {
    const operation = (method: string, shape: string, requests: number): OperationRow => ({
      ...calleeSees({ requests }),
      method,
      shape,
      path_flags: 0,
      days: 1,
    })
    const rows = [
      { ...operation('GET', '/a', 2), not_found: 2 },
      operation('GET', '/b', 7),
      operation('GET', '/a', 1),
      operation('GET /a', '', 4),
    ]
    expect(graphOf(rows, SHOP).edges[0]?.operations).toEqual([
      { method: 'GET', path: '/b', requests: 7, denied: 0, not_found: 0 },
      { method: 'GET /a', path: '', requests: 4, denied: 0, not_found: 0 },
      { method: 'GET', path: '/a', requests: 3, denied: 0, not_found: 2 },
    ])
  })
})

describe('one party is one node', () => {
  test('that one reporter knows by service and another by principal', () => {
    const byPrincipal = calleeSees({ destination_service: '', source_principal: principal('users') })
    const rows = [calleeSees(), byPrincipal, callerSees({ source_workload: 'cart' })]
    expect(graphOf(rows).nodes.map((node) => node.id)).toEqual([
      'shop/cart',
      'shop/orders',
      'spiffe://cluster.local/ns/shop/sa/users',
      'spiffe://cluster.local/ns/shop/sa/web',
    ])
    expect(graphOf(rows, SHOP).nodes.map((node) => node.id)).toEqual([
      'shop/cart',
      'shop/orders',
      'shop/users',
      'shop/web',
    ])
  })

  test('whose account only the rows tell, once its service has a workload', () => {
    // The account has another name than the workload, and no object says so: the callee's own lines do.
    const orders = { ...workload('orders'), serviceAccount: '' }
    const account = principal('orders-runner')
    const rows = [
      calleeSees({ destination_principal: account }),
      {
        ...calleeSees(),
        source_principal: account,
        destination_service: 'users.shop',
        destination_principal: principal('users'),
      },
    ]
    expect(edgesOf(rows, inventoryOf(orders, workload('users'), workload('web')))).toMatchObject([
      { source: 'shop/orders', destination: 'shop/users' },
      { source: 'shop/web', destination: 'shop/orders' },
    ])
  })

  test('an account that workloads share stays an identity, of nobody in particular', () => {
    const shared = inventoryOf(workload('web', 'default'), workload('cart', 'default'), workload('orders'))
    expect(edgesOf([calleeSees({ source_principal: principal('default') })], shared)).toMatchObject([
      { source: 'spiffe://cluster.local/ns/shop/sa/default', destination: 'shop/orders' },
    ])
  })

  test('the same workload in two clusters is one, seen in both', () => {
    const both = inventoryOf(
      workload('web'),
      workload('orders', 'orders', { cluster: 'east' }),
      workload('orders', 'orders', { cluster: 'west' }),
    )
    const rows = [calleeSees({ cluster: 'east' }), calleeSees({ cluster: 'west' })]
    const { nodes, edges } = graphOf(rows, both)
    expect(nodes.find((node) => node.id === 'shop/orders')?.cluster).toBe('east+west')
    expect(edges).toMatchObject([{ requests: 2 }])
  })

  test("of versions behind a service, the one with the service's name stands for them", () => {
    const versions = inventoryOf(
      workload('orders', 'orders'),
      workload('orders-canary', 'orders', { labels: { app: 'orders' } }),
    )
    const row = callerSees()
    expect(edgesOf([row], versions)).toMatchObject([{ destination: 'shop/orders' }])
  })
})

describe('what is no workload', () => {
  test('a host outside', () => {
    const row = callerSees({ destination_kind: 'external', destination_service: 'api.bank.example' })
    expect(graphOf([row]).nodes).toMatchObject([
      { id: 'external:api.bank.example', kind: 'external', name: 'api.bank.example', namespace: '' },
      { id: 'shop/web', kind: 'workload' },
    ])
  })

  test('addresses, IPv4 as people write them', () => {
    const row = { ...NOTHING, source_address: '::ffff:10.1.2.3', destination_address: 'fd00::7' }
    expect(edgesOf([row])).toMatchObject([{ source: 'address:10.1.2.3', destination: 'address:fd00::7' }])
  })

  test('a service without an inventory stands for its workload', () => {
    expect(graphOf([callerSees()]).nodes).toMatchObject([
      { id: 'shop/orders', kind: 'service', workload: 'orders', namespace: 'shop' },
      { id: 'shop/web', kind: 'workload' },
    ])
  })

  test('a caller that nobody names is counted apart, with the reason', () => {
    const rows = [
      spanSees({ source_workload: '', unpaired: 'root', requests: 5 }),
      spanSees({ source_workload: '', unpaired: 'unpaired', requests: 2 }),
      spanSees({ source_workload: '', unpaired: 'unpaired', requests: 1 }),
    ]
    const { edges, nodes, unattributed } = graphOf(rows, SHOP)
    expect(edges).toEqual([])
    expect(nodes.map((node) => node.id)).toEqual(['shop/orders'])
    expect(unattributed).toEqual([
      { destination: 'shop/orders', reason: 'root', requests: 5 },
      { destination: 'shop/orders', reason: 'unpaired', requests: 3 },
    ])
    // The callee's own proxy tells of all its calls: spans that name no caller tell of some of them once more.
    const unknown = calleeSees({ source_principal: '', source_evidence: 'none', requests: 3, denied: 1 })
    expect(graphOf([...rows, unknown], SHOP).unattributed).toEqual([
      { destination: 'shop/orders', reason: 'unknown', requests: 4 },
    ])
  })
})

test('names that hold separators are not taken for one another', () => {
  const pair = (from: string, to: string, reporter: 'span' | 'destination') =>
    spanSees({
      source_namespace: '',
      source_workload: from,
      destination_namespace: '',
      destination_workload: to,
      reporter,
    })
  const rows = [pair('a\nb', 'c', 'destination'), pair('a', 'b\nc', 'span')]
  expect(edgesOf(rows)).toHaveLength(2)
})

test('a node that is a service to one row and a workload to another is a workload, in any order', () => {
  const rows = [callerSees(), callerSees({ source_workload: 'orders', destination_service: 'pay.shop' })]
  const kinds = (of: typeof rows) => graphOf(of).nodes.map(({ id, kind }) => `${id} ${kind}`)
  expect(kinds(rows)).toEqual(['shop/orders workload', 'shop/pay service', 'shop/web workload'])
  expect(kinds(rows.toReversed())).toEqual(kinds(rows))
})

test('why nobody was named is told as often as an edge has requests, over all of its operations', () => {
  const why = [
    { edge: 'a', reason: 'forwarded_address', requests: 3 },
    { edge: 'a', reason: 'two_callers', requests: 1 },
    { edge: 'b', reason: 'shared_address', requests: 9 },
    { edge: 'c', reason: 'two_callers', requests: 5 },
  ] as const
  const nameless = { ...NOTHING, destination_namespace: 'shop', destination_workload: 'orders' }
  const rows = [
    { ...nameless, edge: 'a', requests: 2 },
    { ...nameless, edge: 'a', requests: 3, denied: 1 },
    { ...nameless, edge: 'b', requests: 7, source_address: '::ffff:10.0.0.7' },
    // A name that is there already: what the join says of others is not said of it.
    { ...nameless, edge: 'c', source_workload: 'web', source_evidence: 'claimed' as const },
  ]
  const { calls, unattributed } = callsOf(hopsOf(rows, EMPTY_INVENTORY), why)
  const graph = buildGraph({ since: '', until: '' }, { calls, unattributed })
  expect(graph.unattributed).toEqual([
    { destination: 'shop/orders', reason: 'forwarded_address', requests: 3 },
    { destination: 'shop/orders', reason: 'two_callers', requests: 1 },
    { destination: 'shop/orders', reason: 'unknown', requests: 2 },
  ])
  expect(graph.edges).toMatchObject([{ source: 'address:10.0.0.7', unnamed: { shared_address: 7 } }, { source: 'web' }])
  expect(graph.edges[1]).not.toHaveProperty('unnamed')
})

test('the same rows in any order are the same text', () => {
  const rows = [
    calleeSees(),
    spanSees({ source_workload: 'cart' }),
    callerSees({ source_workload: 'users' }),
    calleeSees({ workload_port: 81 }),
  ]
  expect(JSON.stringify(graphOf(rows.toReversed(), SHOP))).toBe(JSON.stringify(graphOf(rows, SHOP)))
})
