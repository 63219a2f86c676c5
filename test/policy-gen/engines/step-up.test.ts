import { describe, expect, it, test } from 'vitest'
import { replay } from '../../../policy-gen/replay/replay.ts'
import { type Front, planStepUp } from '../../../policy-gen/step-up/plan.ts'
import { readSensitive } from '../../../policy-gen/step-up/read.ts'
import { renderStepUp } from '../../../policy-gen/step-up/render.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import type { Sensitive } from '../../../services/model/step-up.ts'
import { AGE_BOUNDS_S, NO_COUNTS, OLDER_S, type SeenUsers } from '../../../services/model/users.ts'
import { required } from '../../requirements.ts'
import { inventoryOf, operation, seeded, WINDOW } from '../support.ts'
import { rego } from './opa.ts'

const LEVELS = ['phr', 'phrh', 'pwd', ''] as const
const AGES = [...AGE_BOUNDS_S, OLDER_S]
const SENSITIVE: Sensitive[] = [
  { callee: 'shop/orders', method: 'DELETE', path: '/orders/{int}', acr: 'phr', why: 'cannot be undone' },
  { callee: 'shop/orders', method: 'GET', path: '/export', acr: 'phrh', max_age_s: 300, why: 'everybody’s data' },
  { callee: 'shop/pay', method: 'POST', acr: 'phr', max_age_s: 3_600, why: 'money' },
  { callee: 'shop/ledger', acr: 'phr', why: 'books' },
]
const FRONTS: Front[] = [
  {
    ...{ callee: 'shop/orders', method: 'POST', path: '/checkout' },
    calls: [{ callee: 'shop/pay', method: 'POST', path: '/charge', message: false, times: '1', calls: [] }],
  },
]

/** Users of each level and age in numbers of a seed; `expect`ed figures are counted over these. */
function traffic(seed: number): { operations: ObservedOperation[]; seen: Map<string, SeenUsers[]> } {
  const random = seeded(seed)
  const seen = new Map<string, SeenUsers[]>()
  const used = (path: string, method: string, more: object = {}): ObservedOperation => {
    const users = LEVELS.flatMap((acr) =>
      AGES.filter(() => random() < 0.7).map(
        (ageS): SeenUsers => ({
          ...{ issuer: 'https://id.example', acr, ageS, groups: [], moreGroups: false },
          ...{ requests: 1 + Math.floor(random() * 50), notFound: 0, denied: Math.floor(random() * 3) },
          marks: (1n << BigInt(Math.floor(random() * 256))).toString(16),
        }),
      ),
    )
    const requests = users.reduce((sum, one) => sum + one.requests, 7)
    const denied = users.reduce((sum, one) => sum + one.denied, 0)
    seen.set(path, users)
    const without = { ...NO_COUNTS, requests: 7 }
    const one = operation({ path, method, requests, denied, from: 'ingress/gateway', to: 'shop/orders', ...more })
    return { ...one, users: { without, untold: NO_COUNTS, seen: users } }
  }
  const machine = operation({ from: 'shop/pay', to: 'shop/ledger', method: 'POST', path: '/book' })
  const operations = [
    used('/orders/{int}', 'DELETE'),
    used('/export', 'GET'),
    used('/checkout', 'POST'),
    used('/items', 'GET'),
    used('/charge', 'POST', { from: 'shop/orders', to: 'shop/pay' }),
    { ...machine, users: { without: { ...NO_COUNTS, requests: 10 }, untold: NO_COUNTS, seen: [] } },
  ]
  return { operations, seen }
}

const NEEDS: Record<string, { levels: string[]; age: number }> = {
  '/orders/{int}': { levels: ['phr', 'phrh'], age: Number.POSITIVE_INFINITY },
  '/export': { levels: ['phrh'], age: 300 },
  '/checkout': { levels: ['phr', 'phrh'], age: 3_600 },
}
const lacks = (path: string, { acr, ageS }: { acr: string | null; ageS: number | null }) => {
  const needs = NEEDS[path]
  return needs !== undefined && (!needs.levels.includes(acr ?? '') || (ageS ?? 0) > needs.age)
}
const plan = (seed: number) => {
  const { operations, seen } = traffic(seed)
  const options = { window: WINDOW, sensitive: SENSITIVE, fronts: FRONTS }
  return {
    operations,
    seen,
    inventory: inventoryOf(operations),
    ...planStepUp(operations, inventoryOf(operations), options),
  }
}
const requestsOf = (users: readonly SeenUsers[]) => users.reduce((sum, { requests }) => sum + requests, 0)

it.each([1, 2, 3])('users are asked where they come in, and never machines; seed %i', (seed) => {
  const { stepUp, seen } = plan(seed)
  expect(
    stepUp.triggers.map(({ method, path, acr, max_age_s, behind }) => [method, path, acr, max_age_s, behind]),
  ).toEqual([
    ['DELETE', '/orders/{int}', 'phr', null, []],
    ['GET', '/export', 'phrh', 300, []],
    ['POST', '/checkout', 'phr', 3_600, ['shop/pay POST /charge']],
  ])
  for (const trigger of stepUp.triggers) {
    const users = seen.get(trigger.path) ?? []
    const prompted = users.filter((user) => lacks(trigger.path, user))
    expect(trigger).toMatchObject({ requests: requestsOf(users), prompted: requestsOf(prompted), uncertain: 0 })
    const distinct = new Set(prompted.map(({ marks }) => marks)).size
    expect(Math.abs(trigger.prompted_users - distinct)).toBeLessThanOrEqual(2)
  }
  const fronts = ['/orders/{int}', '/export', '/checkout', '/items'].flatMap((path) => seen.get(path) ?? [])
  const prompted = stepUp.triggers.reduce((sum, one) => sum + one.prompted, 0)
  expect(stepUp).toMatchObject({ requests: requestsOf(fronts), prompted, share: prompted / requestsOf(fronts) })
  expect(stepUp.unasked).toEqual([{ operation: 'shop/ledger POST /book', reason: 'only machines use it' }])
})

test('without a chain that tells, nobody is asked for what others call; untold levels are uncertain', () => {
  const { operations } = traffic(4)
  const untold = operations.map((one) => ({
    ...one,
    users: { ...one.users, seen: one.users?.seen.map((user) => ({ ...user, acr: null })) } as NonNullable<
      typeof one.users
    >,
  }))
  const { stepUp } = planStepUp(untold, inventoryOf(operations), { window: WINDOW, sensitive: SENSITIVE })
  expect(stepUp.unasked.map(({ operation: name, reason }) => [name, reason.includes('no chain tells')])).toContainEqual(
    ['shop/pay POST /charge', true],
  )
  const [first] = stepUp.triggers
  expect(first).toMatchObject({ path: '/orders/{int}', prompted: 0, uncertain: first?.requests })
})

test('an operation that few of many users used is rare', () => {
  const bits = (from: number, count: number) => (((1n << BigInt(count)) - 1n) << BigInt(from)).toString(16)
  const used = (path: string, marks: string): ObservedOperation => {
    const user = {
      issuer: 'i',
      acr: 'pwd',
      ageS: null,
      groups: [],
      moreGroups: false,
      requests: 10,
      notFound: 0,
      denied: 0,
      marks,
    }
    const one = operation({ path, from: 'ingress/gateway', to: 'shop/orders' })
    return { ...one, users: { without: NO_COUNTS, untold: NO_COUNTS, seen: [user] } }
  }
  const operations = [used('/items', bits(0, 60)), used('/purge', bits(3, 1)), used('/cart', bits(0, 30))]
  const rare = (share: number) =>
    planStepUp(operations, inventoryOf(operations), { window: WINDOW, sensitive: [], rare: share }).stepUp.triggers
  expect(rare(0.02).map(({ path, acr, why }) => [path, acr, why])).toEqual([
    ['/purge', 'phr', ["1 of its callee's 68 users used it"]],
  ])
  expect(rare(0.01)).toEqual([])
  expect(() => rare(2)).toThrow('rare is a share between 0 and 1')
})

test('what a workload states of its sensitivity asks at all of its operations', () => {
  const { operations } = traffic(8)
  const { workloads, services } = inventoryOf(operations)
  const stated = (sensitivity: string) => {
    const inventory = {
      services,
      workloads: workloads.map((one) => (one.name === 'orders' ? { ...one, sensitivity } : one)),
    }
    return planStepUp(operations, inventory, { window: WINDOW, sensitive: [] }).stepUp.triggers.map(({ acr }) => acr)
  }
  expect(stated('Critical')).toEqual(['phrh', 'phrh', 'phrh', 'phrh'])
  expect(stated('high')).toEqual(['phr', 'phr', 'phr', 'phr'])
  expect([...stated('constructor'), ...stated('')]).toEqual([])
})

test('Istio refuses users who lack the level, as replay reads the file, and lets machines pass', () => {
  const { operations, seen, inventory, planned } = plan(5)
  const { files, loss } = renderStepUp(planned)
  const istio = files.filter(({ path }) => path.startsWith('istio/'))
  const result = replay(istio, operations, { inventory, window: WINDOW })
  const refused = Object.entries(NEEDS).map(([path, { levels }]) =>
    requestsOf((seen.get(path) ?? []).filter(({ acr }) => !levels.includes(acr ?? ''))),
  )
  expect(result.uncertain).toEqual([])
  const sum = result.newly_denied.reduce((total, { requests }) => total + requests, 0)
  expect(sum).toBe(refused.reduce((total, requests) => total + requests, 0))
  expect(loss.map(({ kind, done, path }) => [kind, done, path])).toEqual([
    ['max_age', 'refused', '/export'],
    ['max_age', 'refused', '/checkout'],
  ])
})

describe.skipIf(!rego && !required('CINCH_REQUIRE_ENGINES'))('OPA', () => {
  it('challenges who lacks the level or comes too late, and nobody else', { timeout: 120_000 }, () => {
    const { planned } = plan(6)
    // The engine asks for the decision of policies; step-up has one of its own.
    const shim = { path: 'shim.rego', content: 'package envoy.authz\n\nallow := data.envoy.step_up.allow\n' }
    const files = [...renderStepUp(planned).files.filter(({ path }) => /\.rego$|data\.json$/.test(path)), shim]
    const random = seeded(66)
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    const NOW = '2026-11-29T12:00:00Z'
    const calls = Array.from({ length: 4_000 }, () => {
      const [method, path] = pick([
        ['DELETE', '/orders/{int}'],
        ['GET', '/orders/{int}'],
        ['GET', '/export'],
        ['POST', '/checkout'],
        ['GET', '/items'],
      ] as const)
      const age = pick([0, 299, 300, 301, 3_600, 3_601, 1_000_000])
      const user = pick([true, true, true, false]) ? { acr: pick(LEVELS), ageS: age } : null
      const isSensitive = path !== '/orders/{int}' || method === 'DELETE'
      return { method, path, user, prompted: user !== null && isSensitive && lacks(path, user) }
    })
    const inputs = calls.map(({ method, path, user }, at) => ({
      attributes: {
        destination: { address: { socketAddress: { portValue: 8080 } } },
        request: {
          time: NOW,
          http: { method, path: `${path.replace('{int}', String(at))}${pick(['', '?a=/b'])}`, headers: {} },
        },
        contextExtensions: { 'cinch.callee': 'shop/orders' },
        ...(user
          ? {
              metadataContext: {
                filterMetadata: {
                  'envoy.filters.http.jwt_authn': {
                    payload: {
                      iss: 'i',
                      ...(user.acr === '' ? {} : { acr: user.acr }),
                      auth_time: Date.parse(NOW) / 1_000 - user.ageS,
                    },
                  },
                },
              },
            }
          : {}),
      },
    }))
    const allowed = rego?.(files, inputs) ?? []
    expect(calls.filter(({ prompted }, at) => allowed[at] === prompted)).toEqual([])
    expect(calls.filter(({ prompted }) => prompted).length).toBeGreaterThan(500)
  })
})

test('a file of sensitive operations is read, and what cannot be meant is refused', () => {
  expect(readSensitive('- {callee: a/b, acr: phr, why: money}', 's.yaml')).toEqual([
    { callee: 'a/b', acr: 'phr', why: 'money' },
  ])
  expect(readSensitive('', 's.yaml')).toEqual([])
  expect(() => readSensitive('- {callee: a/b, acr: strong, why: x}', 's.yaml')).toThrow(
    's.yaml: entry 1: acr is one of phr, phrh',
  )
  expect(() => readSensitive('- {callee: a/b, acr: phr, why: x, paht: /}', 's.yaml')).toThrow('unknown field "paht"')
  expect(() => readSensitive('- {callee: a/b, acr: phr}', 's.yaml')).toThrow('why')
  expect(() => readSensitive('{', 's.yaml')).toThrow('is no YAML')
  const sensitive: Sensitive[] = [{ callee: 'a/b', acr: 'phr', max_age_s: 17, why: 'x' }]
  expect(() => planStepUp([], inventoryOf([]), { window: WINDOW, sensitive })).toThrow('max_age_s is one of 300')
})
