import { expect, test } from 'vitest'
import { egressOf } from '../../policy-gen/egress.ts'
import { generate } from '../../policy-gen/generate.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import { inventoryOf, operation, type ShortOperation, WINDOW } from './support.ts'

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
