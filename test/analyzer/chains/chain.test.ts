import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  asynchrony,
  CHAIN_RECORDS_MAX,
  type Chain,
  chainOf,
  rootOperation,
} from '../../../services/analyzer/chains/chain.ts'
import { countClass, shapeOf } from '../../../services/analyzer/chains/shape.ts'
import { withTemplates } from '../../../services/analyzer/chains/templates.ts'
import { createJudge } from '../../../services/analyzer/chains/verdict.ts'
import type { OperationTemplate } from '../../../services/model/template.ts'
import type { Trace, TraceRecord } from '../../../services/store/queries/chains.ts'

const record = (more: Partial<TraceRecord>): TraceRecord => ({
  ...{
    at: 0,
    key: '',
    parent: '',
    kind: 'server',
    place: '',
    service: more.place ?? '',
    caller: '',
    calleePrincipal: '',
    callerPrincipal: '',
    method: 'GET',
    path: '/',
  },
  ...{ pathRank: 3, durationUs: 1_000, userIssuer: '', userSubject: '', isDatabase: false, ...more },
})
const trace = (records: TraceRecord[]): Trace => ({
  ...{ id: '0'.repeat(32), total: records.length, began: Math.min(...records.map(({ at }) => at)) },
  records,
})
const client = (key: string, parent: string, place: string, more = {}) =>
  record({ kind: 'client', key, parent, place, ...more })
const server = (key: string, parent: string, place: string, more = {}) =>
  record({ kind: 'server', key, parent, place, ...more })
const kinds = ({ gaps }: Chain) => gaps.map(({ kind }) => kind)

/** web -> orders -> stock, twice. */
const WHOLE = [
  server('1', '', 'web', { durationUs: 100_000 }),
  client('2', '1', 'web', { at: 1_000, durationUs: 90_000 }),
  server('3', '2', 'orders', { at: 2_000, durationUs: 80_000 }),
  client('4', '3', 'orders', { at: 3_000, durationUs: 10_000 }),
  server('5', '4', 'stock', { at: 4_000 }),
  client('6', '3', 'orders', { at: 20_000, durationUs: 10_000 }),
  server('7', '6', 'stock', { at: 21_000 }),
]

describe('a chain', () => {
  test('is put together the same from its records in any order, and any of them twice', () => {
    const whole = chainOf(trace(WHOLE))
    const picture = ({ root, hops, gaps }: Chain) => ({
      shape: root && shapeOf(root).id,
      hops: hops.length,
      gaps: gaps.map(({ hop: _, ...gap }) => gap),
    })
    fc.assert(
      fc.property(fc.shuffledSubarray(WHOLE), fc.shuffledSubarray(WHOLE, { minLength: WHOLE.length }), (again, all) => {
        expect(picture(chainOf(trace([...again, ...all])))).toEqual(picture(whole))
      }),
      { seed: 1 },
    )
  })

  test('has a shape that folds equal calls, whatever their order', () => {
    const { root } = chainOf(trace(WHOLE))
    expect(shapeOf(root!)).toMatchObject({
      calls: 4,
      tree: {
        callee: 'web',
        calls: [{ callee: 'orders', times: '1', calls: [{ callee: 'stock', times: '2-3', calls: [] }] }],
      },
    })
    expect([1, 2, 3, 4, 7, 8, 15, 16].map(countClass)).toEqual([
      '1',
      '2-3',
      '2-3',
      '4-7',
      '4-7',
      '8-15',
      '8-15',
      '16-31',
    ])
  })

  test('names a parent that is missing, and what stands below it stays', () => {
    const chain = chainOf(trace(WHOLE.filter(({ key }) => key !== '3')))
    expect(chain.gaps.filter(({ kind }) => kind === 'parent_missing')).toMatchObject([{ callee: 'orders', key: '3' }])
    expect(chain.hops.map(({ callee }) => callee).sort()).toEqual(['orders', 'stock', 'stock', 'web'])
  })

  test('names a client that nothing stands under', () => {
    const chain = chainOf(trace(WHOLE.filter(({ key }) => key !== '5')))
    expect(chain.gaps.filter(({ kind }) => kind === 'server_missing')).toMatchObject([{ caller: 'orders', key: '4' }])
  })

  test('is not waited for in part: messages, and what begins after its caller or outlives it', () => {
    const chain = chainOf(
      trace([
        server('1', '', 'web'),
        record({ kind: 'producer', key: '2', parent: '1', place: 'web' }),
        record({ kind: 'consumer', key: '3', parent: '2', place: 'mail', at: 500_000 }),
        server('4', '1', 'audit', { at: 600_000 }),
        server('5', '1', 'log', { at: 500, durationUs: 700_000 }),
      ]),
    )
    expect(Object.fromEntries(chain.hops.map((hop) => [hop.callee, asynchrony(hop)]))).toEqual({
      web: '',
      mail: 'message',
      audit: 'after',
      log: 'outlives',
    })
  })

  test('is named by what a gateway passes on, where it only knows a route for all', () => {
    const { root } = chainOf(
      trace([
        server('1', '', 'gateway', { path: '/*' }),
        client('2', '1', 'gateway'),
        server('3', '2', 'orders', { path: '/orders' }),
      ]),
    )
    expect(rootOperation(root!)).toMatchObject({ callee: 'orders', path: '/orders' })
  })

  test('takes spans that are each other’s parents, or their own, and a depth of all spans that it may have', () => {
    const circle = chainOf(
      trace([
        server('1', '2', 'a'),
        client('2', '3', 'a'),
        client('3', '2', 'a'),
        server('4', '4', 'b'),
        server('5', '6', 'c'),
        server('6', '5', 'd'),
      ]),
    )
    expect(circle.hops.length).toBeGreaterThan(0)
    const deep = Array.from({ length: CHAIN_RECORDS_MAX + 10 }, (_, n) =>
      server(String(n + 1), n === 0 ? '' : String(n), `s${n % 2}`, { at: n }),
    )
    const chain = chainOf(trace(deep))
    expect(chain.hops).toHaveLength(CHAIN_RECORDS_MAX)
    expect(kinds(chain)).toContain('cut')
    expect(chain.cut).toBe(10)
    expect(shapeOf(chain.root!).calls).toBe(CHAIN_RECORDS_MAX)
  })
})

describe('lines', () => {
  const line = (kind: 'source' | 'destination', key: string, place: string, more = {}) =>
    record({ kind, key, place, service: '', ...more })

  test('fill in what spans lack: a hop that only they tell of, its callee, its caller', () => {
    const chain = chainOf(
      trace([...WHOLE.filter(({ key }) => key !== '5'), line('destination', '4', 'stock', { at: 4_000 })]),
    )
    expect(chain.hops.filter(({ callee }) => callee === 'stock')).toHaveLength(2)
    expect(kinds(chain)).toContain('span_missing')
    expect(kinds(chain)).not.toContain('server_missing')
  })

  test('alone make a chain where applications only pass the context on, and say where the user was lost', () => {
    const user = { userIssuer: 'https://id', userSubject: 'ann' }
    const chain = chainOf(
      trace([
        line('destination', '1', 'web', { durationUs: 100_000, ...user }),
        line('source', '1', 'orders', { caller: 'web', at: 10_000, durationUs: 50_000 }),
        line('destination', '1', 'orders', { caller: 'web', at: 11_000, durationUs: 40_000, path: '/orders', ...user }),
        line('destination', '1', 'stock', { caller: 'orders', at: 12_000, path: '/stock' }),
      ]),
    )
    expect(shapeOf(chain.root!).tree).toMatchObject({
      callee: 'web',
      calls: [{ callee: 'orders', calls: [{ callee: 'stock' }] }],
    })
    expect(chain.gaps.filter(({ kind }) => kind === 'user_lost')).toMatchObject([{ caller: 'orders', callee: 'stock' }])
    expect(kinds(chain)).toContain('sampled_away')
  })

  /** Lines of proxies that trace themselves and send no spans: each has a key of its own, and accounts are not called as workloads. */
  const account = (name: string) => `mesh/ns/shop/sa/${name}-account`
  const inbound = (key: string, from: string, to: string, more = {}) =>
    line('destination', key, `shop/${to}`, {
      ...{ caller: `shop/${from}-account`, callerPrincipal: account(from), calleePrincipal: account(to) },
      ...{ path: `/${to}`, ...more },
    })
  const gateway = (key: string, to: string, more = {}) =>
    record({
      kind: 'gateway',
      key,
      place: `shop/${to}`,
      service: '',
      callerPrincipal: account('gw'),
      path: `/${to}`,
      ...more,
    })
  const LINES = [
    gateway('g', 'web', { durationUs: 100_000 }),
    inbound('1', 'gw', 'web', { at: 1_000, durationUs: 98_000 }),
    inbound('2', 'web', 'orders', { at: 10_000, durationUs: 50_000 }),
    inbound('3', 'orders', 'stock', { at: 20_000, durationUs: 5_000 }),
    inbound('4', 'orders', 'stock', { at: 21_000, durationUs: 5_000 }),
  ]

  test('with keys of their own: both of a call are one hop, and callers are known by their certificates', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(LINES, { minLength: LINES.length }), (lines) => {
        const chain = chainOf(trace(lines))
        expect(chain.hops).toHaveLength(4)
        expect(shapeOf(chain.root!).tree).toMatchObject({
          callee: 'shop/web',
          calls: [{ callee: 'shop/orders', calls: [{ callee: 'shop/stock', times: '2-3', calls: [] }] }],
        })
        expect(kinds(chain).filter((kind) => kind === 'parent_missing' || kind === 'callee_log_missing')).toEqual([])
      }),
      { seed: 1 },
    )
  })

  test('with keys of their own: what a callee did not log is missing there, and breaks nothing below', () => {
    const chain = chainOf(trace(LINES.filter(({ key }) => key !== '1')))
    expect(chain.gaps.filter(({ kind }) => kind === 'callee_log_missing')).toMatchObject([{ callee: 'shop/web' }])
    expect(kinds(chain)).not.toContain('parent_missing')
    const inner = chainOf(trace(LINES.filter(({ key }) => key !== '2')))
    expect(inner.gaps.filter(({ kind }) => kind === 'parent_missing')).toMatchObject([
      { callee: 'shop/stock' },
      { callee: 'shop/stock' },
    ])
  })

  test('of two equal calls side by side are each taken for the nearest', () => {
    const call = (at: number) => [
      line('source', `s${at}`, 'shop/stock', { at, durationUs: 30_000, caller: 'shop/orders', path: '/stock' }),
      inbound(`d${at}`, 'orders', 'stock', { at: at + 1_000, durationUs: 20_000 }),
    ]
    const chain = chainOf(
      trace([inbound('1', 'web', 'orders', { durationUs: 90_000 }), ...call(10_000), ...call(13_000)]),
    )
    expect(chain.hops.map(({ at, calleeLog, callerLog }) => [at, calleeLog, callerLog])).toEqual([
      [0, true, false],
      [10_000, true, true],
      [13_000, true, true],
    ])
  })

  test('of a job hang on the job, which is no call; where others call what it begins with, something is missing above', () => {
    const calls = [inbound('1', 'job', 'orders', { durationUs: 5_000 }), inbound('2', 'job', 'stock', { at: 10_000 })]
    const chain = chainOf(trace(calls))
    expect(shapeOf(chain.root!)).toMatchObject({
      calls: 2,
      tree: { callee: 'shop/job-account', calls: [{ callee: expect.any(String) }, { callee: expect.any(String) }] },
    })
    expect(kinds(chain)).not.toContain('parent_missing')
    const restarted = { kind: 'restarted' as const, caller: '', callee: 'shop/orders', operation: 'GET /orders' }
    expect(
      createJudge([{ ...restarted, met: 0, unmet: 9 }]).isBreak(chain.gaps.find(({ kind }) => kind === 'restarted')!),
    ).toBe(false)
    expect(
      createJudge([{ ...restarted, met: 99, unmet: 1 }]).isBreak(chain.gaps.find(({ kind }) => kind === 'restarted')!),
    ).toBe(true)
    // Two services' calls are not one job's.
    const mixed = chainOf(trace([calls[0]!, inbound('2', 'other', 'stock', { at: 10_000 })]))
    expect(kinds(mixed)).toContain('parent_missing')
  })

  test('of a caller stand for all attempts', () => {
    const chain = chainOf(
      trace([
        server('1', '', 'web', { durationUs: 100_000 }),
        client('2', '1', 'web', { at: 1_000, durationUs: 90_000 }),
        ...[3, 4, 5].map((n) => server(String(n), '2', 'orders', { at: n * 10_000 })),
        line('source', '2', 'orders', { caller: 'web', at: 2_000 }),
        ...[3, 4, 5].map((n) => line('destination', '2', 'orders', { caller: 'web', at: n * 10_000 })),
      ]),
    )
    expect(chain.hops).toHaveLength(4)
    expect(kinds(chain).filter((kind) => kind === 'caller_log_missing')).toEqual([])
  })
})

test('paths of calls are the templates of their callees, but for those that only a name or a route tells', async () => {
  const records = [
    record({ kind: 'destination', key: '1', place: 'shop/orders', path: '/orders/amber' }),
    record({ kind: 'destination', key: '2', place: 'shop/stock', path: '/orders/amber' }),
    record({ kind: 'server', key: '3', place: 'shop/orders', path: '/orders/amber', pathRank: 2 }),
    record({ kind: 'client', key: '4', place: 'shop/orders', path: '/orders/amber' }),
  ]
  const asked: string[] = []
  const [named] = await withTemplates([trace(records)], async (callees) => {
    asked.push(...callees)
    const template = { path: '/orders/{value}', operation: '' } as OperationTemplate
    return new Map([['shop/orders', ({ path }) => (path.startsWith('/orders/') ? template : undefined)]])
  })
  expect(asked.sort()).toEqual(['shop/orders', 'shop/stock'])
  expect(named!.records.map(({ path }) => path)).toEqual([
    '/orders/{value}',
    '/orders/amber',
    '/orders/amber',
    '/orders/amber',
  ])
})
