import { describe, expect, test } from 'vitest'
import { diff } from '../../policy-gen/diff/diff.ts'
import { PolicyError } from '../../policy-gen/errors.ts'
import { generate } from '../../policy-gen/generate.ts'
import { askedOf } from '../../policy-gen/replay/asked.ts'
import { readPolicySet } from '../../policy-gen/replay/documents.ts'
import { formats } from '../../policy-gen/replay/formats.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import type { RuleUse } from '../../services/model/diff.ts'
import { attemptsAround, observed } from './engines/attempts.ts'
import { decidable, rego } from './engines/opa.ts'
import { inventory, inventoryOf, operation, seeded } from './support.ts'

const WINDOW = { since: '2026-01-01T00:00:00Z', until: '2026-02-10T00:00:00Z' }
const SHORT = { since: '2026-01-01T00:00:00Z', until: '2026-01-15T00:00:00Z' }
const LABELS = inventory({ workloads: { 'shop/orders': { app: 'orders' }, 'shop/stock': { app: 'stock' } } })

const policy = (name: string, rules: string) => ({
  path: `${name}.yaml`,
  content: `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  selector: {matchLabels: {app: ${name.split('-')[0]}}}
  rules: ${rules}
`,
})
const filtersFile = (policies: object, action = 'ALLOW') => {
  const type = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'
  const filter = { name: 'rbac', typed_config: { '@type': type, rules: { action, policies } } }
  const documents = [{ proxies: { namespace: 'shop' } }, filter].map((one) => JSON.stringify(one))
  return { path: 'a.yaml', content: documents.join('\n---\n') }
}
const who = (...names: string[]) =>
  `from: [{source: {principals: [${names.map((name) => `cluster.local/ns/shop/sa/${name}`).join(', ')}]}}]`
const what = (methods: string, paths: string) =>
  `to: [{operation: {methods: [${methods}], paths: [${paths
    .split(', ')
    .map((path) => `'${path}'`)
    .join(', ')}]}}]`
const shown = ({ source, method, path }: Pick<RuleUse, 'source' | 'method' | 'path'>) =>
  `${source.split('/').at(-1)} ${method} ${path}`

test('each caller, method and path of a rule stands for itself', () => {
  const files = [policy('orders', `[{${who('web', 'job')}, ${what('GET, PUT', '/items, /items/{*}, /admin*')}}]`)]
  const seen = [
    operation({ path: '/items', requests: 7 }),
    operation({ path: '/items/{int}', method: 'PUT', requests: 5 }),
    operation({ from: 'shop/job', path: '/admin/export', requests: 2 }),
    operation({ from: 'shop/job', path: '/admin/import', requests: 1 }),
    operation({ from: 'shop/other', path: '/items', requests: 3 }),
    // Refused by somebody: it is neither a use nor a wish.
    operation({ from: 'shop/scan', path: '/items', requests: 0, denied: 50 }),
  ]
  const found = diff(files, seen, { inventory: LABELS, window: WINDOW })
  expect(found).toMatchObject({ window: WINDOW, days: 40, requests: 18, kept: 2 })
  expect(found.grant.map((call) => [call.source, call.path, call.requests])).toEqual([
    ['cluster.local/ns/shop/sa/other', '/items', 3],
  ])
  expect(found.restrict.map(shown)).toEqual(['job GET /admin*'])
  expect(found.restrict[0]).toMatchObject({
    ...{
      rule: 'ns[shop]-policy[orders]-rule[0]',
      file: 'orders.yaml',
      scope: 'shop app=orders',
      requests: 3,
      guards: [],
    },
    used_for: [
      { method: 'GET', path: '/admin/export', requests: 2 },
      { method: 'GET', path: '/admin/import', requests: 1 },
    ],
  })
  // Twelve combinations, less the two that are used as they are and the broad one.
  expect(found.revoke.map(shown).sort()).toEqual([
    ...['job GET /items', 'job GET /items/{*}', 'job PUT /admin*', 'job PUT /items', 'job PUT /items/{*}'],
    ...['web GET /admin*', 'web GET /items/{*}', 'web PUT /admin*', 'web PUT /items'],
  ])
  expect(found.revoke.every(({ last_used, guards }) => last_used === null && guards.length === 0)).toBe(true)
})

test('an open rule is restricted to what it was used for', () => {
  const files = [policy('orders', `[{}]`), policy('stock', `[{${who('web')}}]`)]
  const seen = [operation({}), operation({ to: 'shop/stock', path: '/levels' })]
  const found = diff(files, seen, { inventory: LABELS, window: WINDOW })
  expect(found.restrict.map(({ source, method, path, used_for }) => [source, method, path, used_for[0]?.path])).toEqual(
    [
      ['', '', '', '/items'],
      ['cluster.local/ns/shop/sa/web', '', '', '/levels'],
    ],
  )
})

test('a short window, and one without the end of a month, says to wait', () => {
  const files = [
    policy('orders', `[{${who('web')}, ${what('GET', '/items')}}, {${who('job')}, ${what('GET', '/close')}}]`),
  ]
  const [unused] = diff(files, [operation({})], { inventory: LABELS, window: SHORT }).revoke
  expect(unused?.guards).toEqual(['14 of 35 days were observed', 'the end of a month was not observed'])
})

test('a use that cannot be told is a use', () => {
  const files = [
    policy('orders', `[{${who('web')}, ${what('GET', '/items/5')}}, {${who('job')}, ${what('GET', '/x')}}]`),
  ]
  const seen = [operation({ path: '/items/{int}' }), operation({ from: 'shop/job', path: '' })]
  expect(diff(files, seen, { inventory: LABELS, window: WINDOW })).toMatchObject({ revoke: [], kept: 2 })
})

test('what another rule allows too is shadowed, unless that one asks for more', () => {
  const claim = `when: [{key: 'request.auth.claims[role]', values: [clerk]}]`
  const files = [
    policy('orders-a', `[{${who('web')}, ${what('GET', '/items')}}]`),
    policy(
      'orders-b',
      `[{${who('web')}, to: [{operation: {methods: [GET]}}]}, {${who('job')}, ${what('GET', '/items')}}]`,
    ),
    policy('orders-c', `[{${who('job')}, ${claim}}]`),
    policy('stock', `[{${who('web')}, ${what('GET', '/items')}}]`),
  ]
  const { shadowed } = diff(files, [], { inventory: LABELS, window: WINDOW })
  expect(shadowed.map(({ file, by }) => [file, by])).toEqual([['orders-a.yaml', 'ns[shop]-policy[orders-b]-rule[0]']])
})

test('lists that multiply beyond all reading are refused', () => {
  const many = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}${n}`).join(', ')
  const rule = `{from: [{source: {principals: [${many('p', 200)}]}}], ${what(many('M', 60), many('/p', 60))}}`
  const run = () => diff([policy('orders', `[${rule}]`)], [], { inventory: LABELS, window: WINDOW })
  expect(run).toThrow(PolicyError)
  expect(run).toThrow('split the rule')
})

test('a set without rules that can be compared is refused', () => {
  expect(() => diff([], [], { inventory: LABELS, window: WINDOW })).toThrow('formats: kubernetes, istio')
})

test('of a network policy, each peer and port stands for itself', () => {
  const content = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: orders, namespace: shop}
spec:
  podSelector: {matchLabels: {app: orders}}
  ingress:
    - from: [{podSelector: {matchLabels: {app: web}}}, {podSelector: {matchLabels: {app: job}}}]
      ports: [{port: 8080}, {port: 9090}]
    - from: [{podSelector: {matchLabels: {app: probe}}}]
    - ports: [{port: 7070}]
`
  const seen = [
    operation({ requests: 7 }),
    operation({ from: 'shop/job', port: 9090 }),
    operation({ from: 'shop/probe', port: 8081 }),
    operation({ from: 'shop/api', port: 7070 }),
    operation({ from: 'shop/api', requests: 3 }),
  ]
  const found = diff([{ path: 'a.yaml', content }], seen, { inventory: inventoryOf(seen), window: WINDOW })
  const shownAs = ({ source, port }: RuleUse) => `${source} ${port}`
  const pods = (app: string) => JSON.stringify({ podSelector: { matchLabels: { app } } })
  expect(found.grant.map(({ source, workload_port }) => [source, workload_port])).toEqual([
    ['cluster.local/ns/shop/sa/api', 8080],
  ])
  expect(found.revoke.map(shownAs)).toEqual([`${pods('web')} 9090`, `${pods('job')} 8080`])
  expect(found.restrict.map(shownAs)).toEqual([`${pods('probe')} 0`, ' 7070'])
  expect(found).toMatchObject({ kept: 2, shadowed: [] })
})

test('of Envoy’s filters, each caller, method and path stands for itself, however it is written', () => {
  const uri = (name: string) => ({
    authenticated: { principalName: { exact: `spiffe://cluster.local/ns/shop/sa/${name}` } },
  })
  const get = { header: { name: ':method', string_match: { exact: 'GET' } } }
  const path = (match: object) => ({ url_path: { path: match } })
  const file = filtersFile({
    listed: {
      permissions: [
        {
          and_rules: { rules: [get, { or_rules: { rules: [path({ exact: '/items' }), path({ prefix: '/admin' })] } }] },
        },
      ],
      principals: [{ or_ids: { ids: [uri('web'), uri('job')] } }],
    },
    regex: { permissions: [path({ safe_regex: { regex: '/pages/[0-9]+' } })], principals: [uri('web')] },
    any: { permissions: [{ any: true }], principals: [uri('api')] },
    ports: {
      permissions: [{ or_rules: { rules: [{ destinationPort: 8080 }, { destinationPort: 9090 }] } }],
      principals: [{ any: true }],
    },
    cel: { permissions: [get], principals: [uri('job')], condition: { call_expr: {} } },
  })
  const denies = filtersFile({ nobody: { permissions: [{ any: true }], principals: [uri('scan')] } }, 'DENY')
  const shadow = { path: 'c.yaml', content: file.content.replace('"rules"', '"shadow_rules"') }
  const seen = [
    operation({ requests: 7, port: 7070 }),
    operation({ from: 'shop/job', path: '/admin/x', port: 7070 }),
    operation({ from: 'shop/api', path: '/other', port: 7070 }),
    operation({ from: 'shop/lone', path: '/other', port: 7070, requests: 3 }),
  ]
  const found = diff([file, { ...denies, path: 'b.yaml' }, shadow], seen, {
    inventory: inventoryOf(seen),
    window: WINDOW,
  })
  expect(found.grant.map(({ source, requests }) => [source.split('/').at(-1), requests])).toEqual([['lone', 3]])
  expect(found.revoke.map((rule) => [shown(rule), rule.conditions])).toEqual([
    ['web GET /admin*', []],
    ['job GET /items', []],
    ['web  ~/pages/[0-9]+', []],
    ['  ', ['ports: 8080, 9090']],
  ])
  // Of a condition that telemetry does not tell, a use may be one.
  expect(found.restrict.map((rule) => [shown(rule), rule.conditions])).toEqual([
    ['job GET /admin*', []],
    ['api  ', []],
    ['job GET ', ['a condition in CEL']],
  ])
  expect(found.kept).toBe(1)
  expect(found.unread.map(({ file: name, reason }) => [name, reason.split(' ').slice(0, 4).join(' ')])).toEqual([
    ['c.yaml', 'they are counted and'],
    ['b.yaml', 'a filter with another'],
  ])
})

test('of Cedar’s policies that permit, each method and path stands for itself; forbidding ones are said', () => {
  const content = `
@id("listed") permit (principal == Cinch::Identity::"cluster.local/ns/shop/sa/web", action, resource)
when { ["GET", "PUT"].contains(context.method) && (context.path == "/items" || context.path like "/admin/*") };
@id("odd") permit (principal in Cinch::Identity::"cluster.local/ns/shop/sa/job", action, resource)
when { context has path && context.path like "/items*" } unless { context.port > 9000 };
@id("open") permit (principal == Cinch::Identity::"cluster.local/ns/shop/sa/api", action, resource);
@id("no") forbid (principal, action, resource) when { context.port == 22 };
`
  const seen = [
    operation({ requests: 7 }),
    operation({ path: '/admin/{int}', method: 'PUT' }),
    operation({ from: 'shop/job', path: '/items/5' }),
    operation({ from: 'shop/api', path: '/other' }),
    operation({ from: 'shop/api', path: '/other', port: 22, requests: 4 }),
  ]
  const files = [{ path: 'a.cedar', content }]
  const found = diff(files, seen, { inventory: inventoryOf(seen), window: WINDOW })
  expect(found.grant.map(({ workload_port, reason }) => [workload_port, reason])).toEqual([[22, 'forbidden by "no"']])
  expect(found.revoke.map(shown)).toEqual(['web GET /admin/*', 'web PUT /items'])
  expect(found.restrict.map(({ rule, method, path }) => [rule, method, path])).toEqual([
    ['"listed"', 'PUT', '/admin/*'],
    ['"odd"', '', '/items*'],
    ['"open"', '', ''],
  ])
  expect(found).toMatchObject({ kept: 1, unread: [{ file: 'a.cedar', rule: '"no"' }] })
})

test.skipIf(!rego)('of Rego that Cinch did not write, what is missing is told and the rest is said not to be', () => {
  const content = 'package envoy.authz\nallow if startswith(input.attributes.request.http.path, "/items")'
  const seen = [operation({}), operation({ path: '/other', requests: 3 })]
  const found = diff([{ path: 'a.rego', content }], seen, { inventory: inventoryOf(seen), window: WINDOW, rego })
  expect(found.grant.map(({ path, requests }) => [path, requests])).toEqual([['/other', 3]])
  expect(found).toMatchObject({ revoke: [], restrict: [], kept: 0, unread: [{ file: 'a.rego' }] })
})

describe.each(decidable.filter(({ id }) => id !== 'kubernetes'))('diff of $id', (target) => {
  test('a rule for users is used by those that it is for', () => {
    const seen = [{ issuer: 'https://id.example', groups: ['staff'] }]
    const users = (...groups: string[]) => ({ users: { without: 0, seen: [{ issuer: 'https://id.example', groups }] } })
    const learned = [operation({ users: { without: 0, seen } }), operation({ path: '/open' })]
    const inventory = inventoryOf(learned)
    const { files } = generate(learned, inventory, target, { window: WINDOW, userConditions: true })
    const context = { inventory, window: WINDOW, rego }
    expect(diff(files, learned, context)).toMatchObject({ grant: [], revoke: [], restrict: [], kept: 2 })
    const others = diff(files, [operation(users('all')), operation({ path: '/open' })], context)
    expect(others.grant.map(({ path }) => path)).toEqual(['/items'])
    expect(others.revoke.map(({ path }) => path)).toEqual(['/items'])
    expect(others.revoke[0]?.conditions.join()).toContain('staff')
  })

  test('its parts together allow what the policies do', () => {
    const operations = observed(11, 40)
    const inventory = inventoryOf(operations)
    const { files } = generate(operations, inventory, target, { window: WINDOW })
    const calls = attemptsAround(operations, 12, 600)
    const { asked, layers } = askedOf(calls, { inventory, window: WINDOW, rego })
    const format = formats.find(({ id }) => id === target.id)
    const deployed = format?.deployed?.(readPolicySet(files), layers)
    const refused = new Set(
      replay(files, calls, { inventory, window: WINDOW, rego }).newly_denied.map(({ first_seen }) => first_seen),
    )
    const wrong = asked.filter(({ operation: call, request }) => {
      const used = deployed?.usedBy(call, request) ?? []
      return used.length > 0 === refused.has(call.firstSeen)
    })
    expect(wrong.map(({ operation: { method, path } }) => [method, path])).toEqual([])
    expect(Math.min(refused.size, calls.length - refused.size)).toBeGreaterThan(calls.length / 5)
  })

  /** What was generated from a window is what it needs; without some of its operations it is that much too wide. */
  test.each([1, 2, 3, 4, 5])('a draft fits its own window exactly (seed %i)', (seed) => {
    const next = seeded(seed)
    const pick = <T>(list: readonly T[]) => list[Math.floor(next() * list.length)] as T
    const seen = Array.from({ length: 80 }, () =>
      operation({
        from: `shop/${pick(['web', 'job', 'api'])}`,
        to: `shop/${pick(['orders', 'stock', 'users'])}`,
        method: pick(['GET', 'POST']),
        path: pick(['/a/x', '/a/y', '/b/x', '/c/{int}', '/c/{uuid}', '/d/{int}/e']),
      }),
    )
    const context = { inventory: inventoryOf(seen), window: WINDOW, rego }
    const keyOf = (one: (typeof seen)[number]) =>
      `${one.source.principal} ${one.destination.id} ${one.method} ${one.path.replaceAll(/\{\w+\}/g, '{*}')}`
    const { files } = generate(seen, context.inventory, target, { window: WINDOW })
    const whole = diff(files, seen, context)
    expect(whole).toMatchObject({ grant: [], revoke: [], restrict: [], shadowed: [] })
    expect(whole.kept).toBe(new Set(seen.map(keyOf)).size)

    const less = seen.filter(() => next() < 0.5)
    const left = new Set(less.map(keyOf))
    const gone = [...new Set(seen.map(keyOf))].filter((key) => !left.has(key))
    const found = diff(files, less, context)
    const named = found.revoke.map(
      ({ source, scope, method, path }) => `${source} ${scope.replace(' app=', '/')} ${method} ${path}`,
    )
    expect(named.sort()).toEqual(gone.sort())
    expect(found).toMatchObject({ grant: [], restrict: [], kept: left.size })
  })
})
