import { describe, expect, it } from 'vitest'
import { declaredAt, readDeclarations } from '../../policy-gen/declared/read.ts'
import { diff } from '../../policy-gen/diff/diff.ts'
import { generate } from '../../policy-gen/generate.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { targetById, targets } from '../../policy-gen/targets/index.ts'
import type { Declared } from '../../services/model/declaration.ts'
import { inventoryOf, operation, WINDOW } from './support.ts'

const FILE = `
permissions:
  - id: wallet-failover
    kind: failover
    caller: cluster.local/ns/dr/sa/standby
    callee: shop/orders
    port: 8080
    method: POST
    path: /orders/{int}/restore
    owner: team-orders
    reason: the other cluster stands in
    expires: 2027-03-01T00:00:00Z
  - id: seen-as-well
    kind: recovery
    caller: cluster.local/ns/shop/sa/web
    callee: shop/orders
    port: 8080
    method: GET
    path: /items
    owner: team-orders
    reason: also used every day
    expires: 2027-03-01T00:00:00Z
  - id: old-emergency
    kind: break-glass
    caller: cluster.local/ns/ops/sa/oncall
    callee: shop/orders
    owner: ops
    reason: an incident of last year
    expires: 2026-01-01
`
const NOW = '2026-11-30T10:00:00.000Z'
const declared = declaredAt(readDeclarations(FILE, 'declared.yaml'), NOW)
const observed = [operation({}), operation({ from: 'shop/cart', path: '/carts' })]
const inventory = inventoryOf(observed)
const failover = operation({ from: 'dr/standby', method: 'POST', path: '/orders/{int}/restore' })
const emergency = operation({ from: 'ops/oncall', method: 'DELETE', path: '/orders' })

describe('declared permissions', () => {
  const { files, report } = generate(observed, inventory, targetById('istio'), { window: WINDOW, declared })

  it('stand beside observed ones with owner, reason and expiry; one that was seen has both', () => {
    const byOrigin = report.permissions.map(({ caller, evidence, declared: by = [] }) => [
      caller.principal,
      evidence.requests,
      by.map(({ id }) => id),
    ])
    expect(byOrigin).toEqual([
      ['cluster.local/ns/dr/sa/standby', 0, ['wallet-failover']],
      ['cluster.local/ns/shop/sa/cart', 10, []],
      ['cluster.local/ns/shop/sa/web', 10, ['seen-as-well']],
    ])
    expect(report.permissions[0]?.declared).toEqual([
      {
        id: 'wallet-failover',
        kind: 'failover',
        owner: 'team-orders',
        reason: 'the other cluster stands in',
        expires: '2027-03-01T00:00:00.000Z',
      },
    ])
    const allow = files.find(({ path }) => path === '1-allow/shop.orders.yaml')?.content
    expect(allow).toContain(
      '# cluster.local/ns/dr/sa/standby: declared failover wallet-failover by team-orders until 2027-03-01T00:00:00.000Z',
    )
  })

  it('are named and not granted when they have expired', () => {
    expect(report.expired.map(({ id, owner }) => [id, owner])).toEqual([['old-emergency', 'ops']])
    const at = (now: string) => {
      const options = { window: WINDOW, declared: declaredAt(readDeclarations(FILE, 'x'), now) }
      const made = generate(observed, inventory, targetById('istio'), options)
      return replay(made.files, [failover], { inventory, window: WINDOW }).still_allowed
    }
    expect(at('2027-02-28T23:59:59.999Z')).toBe(10)
    expect(at('2027-03-01T00:00:00.000Z')).toBe(0)
  })

  it.each(targets.map(({ id }) => id).filter((id) => id !== 'opa-rego' && id !== 'kubernetes'))(
    'are allowed by %s, and nobody else is',
    (id) => {
      const made = generate(observed, inventory, targetById(id), { window: WINDOW, declared })
      const result = replay(made.files, [failover, emergency], { inventory, window: WINDOW })
      expect({ allowed: result.still_allowed, denied: result.newly_denied.map(({ source }) => source) }).toEqual({
        allowed: 10,
        denied: ['cluster.local/ns/ops/sa/oncall'],
      })
    },
  )

  it('that policies do not allow are told by replay', () => {
    const without = generate(observed, inventory, targetById('istio'), { window: WINDOW })
    const context = { inventory, window: WINDOW, declared }
    expect(replay(without.files, observed, context).declared).toEqual({
      allowed: 1,
      not_allowed: [
        expect.objectContaining({
          id: 'wallet-failover',
          reason: 'the other cluster stands in',
          why: expect.stringContaining('cinch-guard'),
        }),
      ],
      expired: ['old-emergency'],
    })
    expect(replay(files, observed, context).declared).toEqual({
      allowed: 2,
      not_allowed: [],
      expired: ['old-emergency'],
    })
    expect(replay(files, observed, { inventory, window: WINDOW }).requests).toBe(20)
  })

  it('are no rules that nobody uses', () => {
    const unused = (some?: Declared) =>
      diff(files, observed, { inventory, window: WINDOW, ...(some ? { declared: some } : {}) }).revoke.map(
        ({ source }) => source,
      )
    expect(unused()).toEqual(['cluster.local/ns/dr/sa/standby'])
    expect(unused(declared)).toEqual([])
  })

  it('for a callee that nobody knows are said to be skipped', () => {
    const nobody = readDeclarations(FILE.replaceAll('shop/orders', 'shop/gone'), 'x')
    const made = generate(observed, inventory, targetById('istio'), {
      window: WINDOW,
      declared: declaredAt(nobody, NOW),
    })
    const skipped = made.report.skipped
      .filter(({ code }) => code === 'declared')
      .map(({ callee, reason }) => [callee, reason.split(':')[0]])
    expect(skipped).toEqual([
      ['shop/gone', 'wallet-failover'],
      ['shop/gone', 'seen-as-well'],
    ])
  })
})

describe('a file of declarations is refused with', () => {
  const broken = (from: string, to: string) => () => readDeclarations(FILE.replace(from, to), 'declared.yaml')
  it.each([
    ['no owner', '    owner: team-orders\n', '', 'its owner'],
    ['no reason', 'reason: the other cluster stands in', 'reason: " "', 'its reason'],
    ['no expiry', '    expires: 2027-03-01T00:00:00Z\n', '', 'its expiry'],
    ['no moment', '2027-03-01T00:00:00Z', 'soon', 'its expiry'],
    ['a day that is none', '2027-03-01T00:00:00Z', '2027-13-01', 'its expiry'],
    ['another kind', 'kind: failover', 'kind: convenience', 'its kind'],
    ['a wildcard as a caller', 'cluster.local/ns/dr/sa/standby', '"*"', 'its caller'],
    ['a wildcard in a path', '/orders/{int}/restore', '/orders/*', 'its path'],
    ['a path that a proxy would change', '/orders/{int}/restore', '/orders/%2e%2e/x', 'its path'],
    ['a path for any method', '    method: POST\n', '', 'a path and no method'],
    ['a port that is none', 'port: 8080', 'port: 70000', 'its port'],
    ['a misspelt field', 'method: POST', 'methods: POST', 'the field "methods"'],
    ['a terminal’s words', 'the other cluster stands in', '"\\e[2J"', 'its reason'],
    ['an id twice', 'id: seen-as-well', 'id: wallet-failover', 'the same id'],
    ['no list', 'permissions:', 'permission:', 'no list'],
    ['no YAML', 'permissions:', '{', 'no valid YAML'],
  ])('%s', (_, from, to, why) => expect(broken(from, to)).toThrow(why))

  it('and names the entry', () =>
    expect(broken('kind: recovery', 'kind: x')).toThrow('declared.yaml: permission 2: its kind'))
})
