import { describe, expect, it } from 'vitest'
import { declaredAt, readDeclarations } from '../../policy-gen/declared/read.ts'
import { generate } from '../../policy-gen/generate.ts'
import { readIncidents } from '../../policy-gen/guard.ts'
import { leastPrivilege } from '../../policy-gen/least-privilege.ts'
import { type ProposeOptions, propose } from '../../policy-gen/propose.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { randomOperations } from './random.ts'
import { inventoryOf, operation, WINDOW } from './support.ts'

const seen = (short: Parameters<typeof operation>[0], firstSeen: string, days: number): ObservedOperation => ({
  ...operation(short),
  firstSeen,
  days,
})
const ordinary = [
  seen({}, '2026-01-01T00:00:00Z', 14),
  seen({ from: 'shop/cart', path: '/carts' }, '2026-01-02T00:00:00Z', 13),
]
/** A replica of the cart's, taken over: for five days it asks politely, and often. */
const poison = seen({ from: 'shop/cart', path: '/cards', requests: 1_000_000 }, '2026-01-09T00:00:00Z', 5)
const inventory = inventoryOf([...ordinary, poison])
const callsOf = (operations: ObservedOperation[], options: ProposeOptions) =>
  propose(operations, inventory, options).permissions.map(
    ({ caller, operation: { path } }) => `${caller.principal.split('/').at(-1)} ${path}`,
  )

describe('the poisoning guard', () => {
  const baseline = '2026-01-08T00:00:00Z'

  it('a caller that was taken over earns nothing new, however long and often it asks', () => {
    const { permissions, skipped } = propose([...ordinary, poison], inventory, { baseline })
    expect(permissions.map(({ operation: { path } }) => path)).toEqual(['/carts', '/items'])
    expect(skipped).toMatchObject([
      { code: 'new', caller: 'cluster.local/ns/shop/sa/cart', callee: 'shop/orders', requests: 1_000_000 },
    ])
    const { files } = generate([...ordinary, poison], inventory, targetById('istio'), { baseline, window: WINDOW })
    expect(replay(files, [poison], { inventory, window: WINDOW })).toMatchObject({
      still_allowed: 0,
      newly_denied: [{ path: '/cards' }],
    })
    // Without the guard it would have: the attack is one.
    expect(callsOf([...ordinary, poison], {})).toContain('cart /cards')
  })

  it("its callee's owner may say that it is right", () => {
    const word = `permissions: [{id: cards, kind: regular, caller: cluster.local/ns/shop/sa/cart, callee: shop/orders, port: 8080, method: GET, path: /cards, owner: team-orders, reason: a new page, expires: 2027-01-01}]`
    const declared = declaredAt(readDeclarations(word, 'x'), '2026-01-15T00:00:00.000Z')
    expect(callsOf([...ordinary, poison], { baseline, declared })).toEqual(['cart /cards', 'cart /carts', 'web /items'])
  })

  it('whatever is seen for the first time after the baseline, the permissions are those of before', () => {
    const scope = (operations: readonly ObservedOperation[], options: ProposeOptions) =>
      propose(operations, inventoryOf(both), options).permissions.map(
        ({ caller, callee, port, operation: { method, path } }) => [
          caller.principal,
          callee.workload,
          port,
          method,
          path,
        ],
      )
    let both: ObservedOperation[] = []
    for (let seed = 1; seed <= 30; seed++) {
      const old = randomOperations(seed, 30).map((one) => ({ ...one, firstSeen: '2026-01-02T00:00:00Z' }))
      const added = randomOperations(seed + 100, 30).map((one) => ({
        ...one,
        firstSeen: baseline,
        requests: one.requests * 1000,
      }))
      both = [...old, ...added]
      expect(scope(both, { baseline })).toEqual(scope(old, {}))
      expect(scope(both, {}).length).toBeGreaterThan(scope(old, {}).length)
    }
  })

  it('plaintext that comes after the baseline does not open the callee for plaintext', () => {
    const plain = seen({ from: 'shop/cart', path: '/carts', mtls: 'no' }, baseline, 5)
    const modeOf = (options: ProposeOptions) => {
      const { files } = generate([...ordinary, plain], inventory, targetById('istio'), { ...options, window: WINDOW })
      return /mode: (\w+)/.exec(files.find(({ path }) => path === '2-mtls/shop.orders.yaml')?.content ?? '')?.[1]
    }
    expect([modeOf({ baseline }), modeOf({})]).toEqual(['STRICT', 'PERMISSIVE'])
  })

  it('support counts days, and no requests', () => {
    const rare = [...ordinary, seen({ path: '/rare', requests: 1_000_000 }, '2026-01-02T00:00:00Z', 2)]
    expect(callsOf(rare, { minimumDays: 3 })).toEqual(['cart /carts', 'web /items'])
    expect(callsOf(rare, { minimumDays: 2 })).toHaveLength(3)
  })

  it('what was first seen in a marked incident teaches nothing, also when it goes on', () => {
    const incidents = readIncidents(
      '2026-01-08T00:00:00Z/2026-01-10T00:00:00Z, 2026-01-12T00:00:00Z/2026-01-13T00:00:00Z',
    )
    expect(callsOf([...ordinary, poison], { incidents })).toEqual(['cart /carts', 'web /items'])
    expect(callsOf([...ordinary, { ...poison, firstSeen: '2026-01-10T00:00:00Z' }], { incidents })).toContain(
      'cart /cards',
    )
  })

  it('who goes from door to door keeps what it had, and finds nothing', () => {
    const doors = (count: number) =>
      Array.from({ length: count }, (_, at) => ({
        ...seen({ from: 'shop/cart', path: `/try${at}`, requests: 1 }, '2026-01-08T00:00:00Z', 1),
        notFound: 1,
      }))
    expect(callsOf([...ordinary, poison, ...doors(10)], {})).toEqual(['cart /carts', 'web /items'])
    expect(callsOf([...ordinary, poison, ...doors(9)], {})).toContain('cart /cards')
    // What others do is theirs.
    expect(callsOf([...ordinary, { ...poison, source: operation({}).source }, ...doors(10)], {})).toContain(
      'web /cards',
    )
  })

  it.each([
    { minimumDays: 0 },
    { minimumDays: 1.5 },
    { baseline: 'soon' },
    { incidents: [{ since: 'x', until: 'y' }] },
  ])('%j is an error', (options) => expect(() => callsOf(ordinary, options)).toThrow(/must|is no|whole number/))
  it.each(['', 'a/b', '2026-01-02/2026-01-01', '2026-01-01'])('%j is no incident', (text) =>
    expect(() => readIncidents(text)).toThrow(/is no/),
  )
})

describe('least privilege', () => {
  // Two callers, three operations at one callee: six pairs, of which four were observed.
  const operations = [
    operation({ from: 'shop/web', path: '/a' }),
    operation({ from: 'shop/web', path: '/b' }),
    operation({ from: 'shop/cart', path: '/a' }),
    operation({ from: 'shop/cart', path: '/c', method: 'POST' }),
  ]
  const known = inventoryOf(operations)
  const options = { window: WINDOW }

  it('is counted in pairs of a caller and an operation, by granularity, against one rule for each callee', () => {
    expect(leastPrivilege(operations, operations, known, targetById('istio'), options)).toEqual({
      ...{ target: 'istio', pairs: 6, left_out: 0, observed: 4, declared: 0 },
      by: [
        { granularity: 'workload', allowed: 6, beyond: 2 },
        { granularity: 'port', allowed: 6, beyond: 2 },
        // The cart may GET /b as well, the web may not POST.
        { granularity: 'method', allowed: 5, beyond: 1 },
        { granularity: 'path', allowed: 4, beyond: 0 },
      ],
      union: { allowed: 6, beyond: 2 },
    })
  })

  it.each(['istio', 'envoy-rbac', 'cedar'])(
    'of %s, at path nothing is allowed that was neither observed nor declared',
    (id) => {
      for (let seed = 1; seed <= 5; seed++) {
        const random = randomOperations(seed, 60).filter(
          ({ path, protocol, method, workloadPort, pathFlags, mtls }) =>
            path.startsWith('/') &&
            protocol !== 'tcp' &&
            method !== '' &&
            workloadPort !== 0 &&
            pathFlags.length === 0 &&
            !/[{*]/.test(path) &&
            mtls === 'yes',
        )
        const result = leastPrivilege(random, random, inventoryOf(random), targetById(id), options)
        expect(result.observed).toBeGreaterThan(0)
        expect(result.by.find(({ granularity }) => granularity === 'path')?.beyond).toBe(0)
      }
    },
  )

  it('what is declared is none of what is beyond', () => {
    const word = `permissions: [{id: b, kind: failover, caller: cluster.local/ns/shop/sa/cart, callee: shop/orders, port: 8080, method: GET, path: /b, owner: o, reason: r, expires: 2027-01-01}]`
    const declared = declaredAt(readDeclarations(word, 'x'), '2026-01-15T00:00:00.000Z')
    const { by, ...rest } = leastPrivilege(operations, operations, known, targetById('istio'), { ...options, declared })
    expect(rest).toMatchObject({ declared: 1 })
    expect(by.at(-1)).toEqual({ granularity: 'path', allowed: 5, beyond: 0 })
  })
})
