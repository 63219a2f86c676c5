import { expect, test } from 'vitest'
import { egressOf } from '../../policy-gen/egress.ts'
import { generate } from '../../policy-gen/generate.ts'
import { isAround, unitsOf } from '../../policy-gen/lifecycle/units.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { targetById, targets } from '../../policy-gen/targets/index.ts'
import { inventory, inventoryOf, operation, type ShortOperation, WINDOW } from './support.ts'

const outward = (host: string, more: ShortOperation = {}) =>
  operation({
    to: `external:${host}`,
    servicePort: 443,
    protocol: 'tcp',
    method: '',
    path: '',
    mtls: 'no',
    evidence: 'address',
    ...more,
  })
const hosts = (seen: Parameters<typeof egressOf>[0], options = {}) =>
  egressOf(seen, options).flatMap(({ namespace, uses }) => uses.map(({ host, port }) => `${namespace} ${host}:${port}`))

test('a host is what DNS names and nothing wider, of the cluster, or an address', () => {
  const hostile = [
    '*',
    '*.example',
    '10.0.0.1',
    '[::1]',
    'localhost',
    'orders',
    'orders.bank.svc',
    'orders.bank.svc.cluster.local',
    'printer.local',
  ]
  const broken = [
    'a\n.example',
    'a .example',
    'a"b.example',
    '-a.example',
    'a..example',
    'a.example:443',
    `${'a.'.repeat(130)}example`,
    '',
  ]
  const seen = [...hostile, ...broken, 'API.bank.example', 'xn--bcher-kva.example'].map((host) => outward(host))
  expect(hosts(seen)).toEqual(['shop api.bank.example:443', 'shop xn--bcher-kva.example:443'])
  expect(egressOf(seen, {})[0]?.refused).toHaveLength(hostile.length + broken.length)
})

test('claims, refusals, errors, incidents and what came after the baseline teach nothing', () => {
  const seen = [
    outward('claimed.example', { evidence: 'claimed' }),
    outward('denied.example', { requests: 0, denied: 9 }),
    { ...outward('missing.example'), notFound: 10 },
    outward('nowhere.example', { from: '/web' }),
  ]
  expect(egressOf(seen, {})).toEqual([])
  expect(egressOf([outward('late.example')], { baseline: '2026-01-01T12:00:00Z' })).toEqual([])
  const incidents = [{ since: '2026-01-02T00:00:00Z', until: '2026-01-03T00:00:00Z' }]
  expect(egressOf([outward('odd.example')], { incidents })).toEqual([])
  expect(hosts([outward('rare.example')], { minimumDays: 13 })).toEqual([])
})

test('what goes around the gateways is told from what goes through them', () => {
  const toGateway = { ...operation({ to: 'edge/egress' }), reporter: 'gateway' as const }
  const seen = [toGateway, outward('a.example', { from: 'edge/egress' }), outward('a.example')]
  expect(egressOf(seen, {}).map(({ namespace, gateway }) => [namespace, gateway])).toEqual([
    ['edge', true],
    ['shop', false],
  ])
  const { report } = generate(seen, inventoryOf(seen), targetById('istio'), { window: WINDOW })
  const around = report.loss.filter(({ kind }) => kind === 'egress_around')
  expect(around.map(({ caller, callee }) => `${caller} ${callee}`)).toEqual(['web external:a.example'])
})

test('what an owner declares can be reached, and a callee without a namespace leaves all open', () => {
  const declared = {
    ...{ id: 'd', kind: 'failover' as const, owner: 'o', reason: 'r', expires: '2027-01-01T00:00:00Z' },
    ...{ caller: 'cluster.local/ns/shop/sa/web', callee: 'depot/stock', port: 0, method: '', path: '' },
  }
  const seen = [outward('a.example'), operation({ to: 'bank/ledger' })]
  const [shop] = egressOf(seen, { declared: { active: [declared], expired: [] } })
  expect(shop?.reaches).toEqual(['bank', 'depot'])
  expect(egressOf([...seen, operation({ to: '/unknown' })], {})[0]?.reaches).toBeNull()
})

test('what was seen passes, and nothing else does: another host, another port, another namespace, one that nobody called', () => {
  const seen = [outward('a.example'), operation({ to: 'bank/ledger' }), outward('b.example', { from: 'bank/job' })]
  const inventory = inventoryOf(seen)
  const { files } = generate(seen, inventory, targetById('istio'), { window: WINDOW })
  const context = { inventory, window: WINDOW }
  expect(replay(files, seen, context)).toMatchObject({
    still_allowed: 30,
    newly_denied: [],
    uncertain: [],
    ignored: [],
  })
  const others = [
    outward('b.example'),
    outward('a.example', { servicePort: 80 }),
    outward('a.example', { from: 'bank/job' }),
    operation({ to: 'depot/stock' }),
  ]
  expect(replay(files, others, context).newly_denied).toHaveLength(others.length)
})

test('a draft of what leaves says the hosts and ports, whatever was counted; no workload is called so', () => {
  const target = targetById('istio')
  const draftOf = (...seen: Parameters<typeof outward>[]) => {
    const operations = seen.map((one) => outward(...one))
    const { egress, report } = generate(operations, inventoryOf(operations), target, { window: WINDOW })
    return unitsOf(report.permissions, inventoryOf(operations), target, WINDOW, egress)
  }
  const [unit] = draftOf(['api.example', {}])
  expect(unit).toMatchObject({ callee: 'shop/*egress', destinations: ['external:api.example'], from: 'shop' })
  const digests = (...seen: Parameters<typeof outward>[]) => draftOf(...seen).map(({ digest }) => digest)
  expect(digests(['api.example', { requests: 7 }])).toEqual([unit?.digest])
  expect(digests(['api.example', {}], ['10.0.0.1', {}])).toEqual([unit?.digest])
  for (const other of [
    ['api.example', { servicePort: 80 }],
    ['other.example', {}],
    ['api.example', { from: 'shop/job' }],
  ])
    expect(digests(other as Parameters<typeof outward>)).not.toEqual([unit?.digest])
  for (const other of targets.filter(({ id }) => id !== 'istio'))
    expect(unitsOf([], inventoryOf([]), other, WINDOW, egressOf([outward('api.example')], {}))).toEqual([])
  // Nothing that can be written is no draft; a workload with a star in its name is none of these.
  expect(draftOf(['10.0.0.1', {}])).toEqual([])
  const named = [operation({ to: 'shop/*egress' }), operation({ to: 'shop/*' })]
  const labels = inventory({ workloads: { 'shop/*egress': { app: 'odd' }, 'shop/*': { app: 'star' } } })
  const { report } = generate(named, labels, target, { window: WINDOW })
  const units = unitsOf(report.permissions, labels, target, WINDOW).map(({ callee }) => callee)
  expect(units).toEqual(['shop/%2A', 'shop/%2Aegress', 'shop/*'])
  expect(units.filter(isAround)).toEqual(['shop/*'])
})

test('a namespace that never called out lets nothing out, where its own proxies would have told of it', () => {
  const inside = [operation({}), operation({ from: 'shop/web', to: 'bank/ledger', path: '/book' })]
  const teller = (namespace: string, days = 9) => ({ cluster: '', namespace, days })
  const made = (seen: typeof inside, ...outbound: ReturnType<typeof teller>[]) => {
    const target = targetById('istio')
    const all = { files: [] as { path: string; content: string }[], inventory: inventoryOf(seen) }
    const { files, report, egress } = generate(seen, all.inventory, target, { window: WINDOW, outbound })
    const units = unitsOf(report.permissions, all.inventory, target, WINDOW, egress)
    return {
      ...all,
      files,
      report,
      units,
      sidecars: files.filter(({ path }) => path.startsWith('5-')).map(({ path }) => path),
    }
  }
  const quiet = made(inside, teller('shop'), teller('bank', 6), teller('istio-system'))
  expect(quiet.sidecars).toEqual(['5-registry-only/shop.yaml'])
  expect(quiet.report.loss.filter(({ kind }) => kind === 'egress_none')).toMatchObject([
    { callee: 'shop', done: 'noted' },
  ])
  expect(quiet.units.filter(({ callee }) => callee.endsWith('*egress'))).toMatchObject([
    { callee: 'shop/*egress', destinations: [] },
  ])
  const context = { inventory: quiet.inventory, window: WINDOW }
  expect(replay(quiet.files, inside, context).newly_denied).toEqual([])
  const denied = replay(quiet.files, [outward('api.example'), outward('api.example', { from: 'bank/ledger' })], context)
  expect(denied.newly_denied.map(({ source }) => source)).toEqual(['cluster.local/ns/shop/sa/web'])
  // Another day's count is no other content.
  const digest = (days: number) =>
    made(inside, teller('shop', days)).units.find(({ callee }) => callee === 'shop/*egress')?.digest
  expect(digest(30)).toBe(digest(9))
  // Whatever became of an attempt, and whoever said so: it calls out.
  const attempts = [{ requests: 0, denied: 3 }, { evidence: 'claimed' as const }]
  for (const attempt of attempts)
    expect(made([...inside, outward('late.example', attempt)], teller('shop')).sidecars).toEqual([])
})
