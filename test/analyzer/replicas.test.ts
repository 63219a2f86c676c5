import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Generated } from '../../policy-gen/generate.ts'
import { readObjects } from '../../services/collector/sources/kubernetes-objects/read.ts'
import type { Permission } from '../../services/model/permission.ts'
import { declareAddresses } from '../../services/store/queries/inventory.ts'
import { query } from '../../services/store/store.ts'
import { openApi, type TestApi } from '../api/support.ts'

/*
 * Five replicas of the cart call orders for seventeen days. The third is taken over on the first: it calls /refunds every day, often,
 * and under a false address. On the fifteenth a release replaces all five, and all of them call /offers from then on. What is expected
 * is written here, from who sent what.
 */
const FIRST = Array.from({ length: 5 }, (_, at) => `10.0.1.${at + 1}`)
const SECOND = Array.from({ length: 5 }, (_, at) => `10.0.2.${at + 1}`)
const IMAGES = { first: `sha256:${'1'.repeat(64)}`, second: `sha256:${'2'.repeat(64)}` }
const [TAKEN = ''] = FIRST.slice(2)
const RELEASE = 15
const day = (number: number) => `2026-11-${String(number).padStart(2, '0')}`

interface Sent {
  day: number
  from: string
  path: string
  method?: string
  caller?: string
  status?: number
  more?: object
}
const line = ({ day: on, from, path, method = 'GET', caller = 'cart', status = 200, more = {} }: Sent, index: number) =>
  JSON.stringify({
    start_time: `${day(on)}T08:${String(index % 60).padStart(2, '0')}:00.000Z`,
    ...{ method, path, protocol: 'HTTP/1.1', response_code: status, response_flags: '-', duration: 1 },
    response_code_details: status === 403 ? 'rbac_access_denied_matched_policy[none]' : 'via_upstream',
    ...{
      upstream_cluster: 'inbound|8080||',
      upstream_host: '10.0.9.9:8080',
      upstream_local_address: '127.0.0.6:40000',
    },
    ...{ downstream_local_address: '10.0.9.9:8080', downstream_remote_address: `${from}:${40_000 + index}` },
    source_principal: `spiffe://cluster.local/ns/shop/sa/${caller}`,
    destination_principal: 'spiffe://cluster.local/ns/shop/sa/orders',
    tls_version: 'TLSv1.3',
    ...more,
  })

const sent: Sent[] = []
for (let on = 1; on <= 17; on++) {
  const replicas = on < RELEASE ? FIRST : SECOND
  sent.push(...replicas.map((from) => ({ day: on, from, path: '/items' })))
  if (on >= RELEASE) sent.push(...replicas.map((from) => ({ day: on, from, path: '/offers' })))
  else for (let often = 0; often < 20; often++) sent.push({ day: on, from: TAKEN, path: '/refunds', method: 'POST' })
  // Under another's address, as far as a client can say: Envoy takes it from X-Forwarded-For, and writes no port.
  if (on < RELEASE)
    sent.push({ day: on, from: TAKEN, path: '/forged', more: { downstream_remote_address: '10.0.1.1:0' } })
  // What was refused, or is not there, tells of nobody.
  if (on < RELEASE)
    for (const [from, status] of [
      ['10.0.1.1', 403],
      ['10.0.1.2', 404],
    ] as const)
      sent.push({ day: on, from, path: '/refunds', method: 'POST', status })
  // One replica is all that the web has.
  sent.push({ day: on, from: '10.0.3.1', path: '/items', caller: 'web' })
  // A gateway in front of a callee that tells nothing itself: its own replicas are not those of its callers.
  const outside = ['198.51.100.1', '198.51.100.2', '198.51.100.3']
  const gateway = {
    upstream_cluster: 'outbound|80||legacy.shop.svc.cluster.local',
    upstream_local_address: '10.0.4.1:41000',
  }
  const asked = { source_principal: null, destination_principal: 'spiffe://cluster.local/ns/edge/sa/gateway' }
  sent.push(
    ...outside.map((from) => ({
      day: on,
      from,
      path: '/old',
      more: { ...gateway, ...asked, downstream_local_address: '10.0.4.1:8443' },
    })),
  )
}

const workload = (name: string, namespace = 'shop') => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace } },
  spec: { template: { metadata: { labels: { app: name } }, spec: { serviceAccountName: name } } },
})
const service = {
  kind: 'Service',
  metadata: { name: 'legacy', namespace: 'shop' },
  spec: { selector: { app: 'legacy' }, ports: [{ port: 80, targetPort: 8080 }] },
}
const pods = (addresses: string[], hash: string, image: string, from: number) =>
  addresses.map((ip, at) => ({
    kind: 'Pod',
    metadata: {
      ...{ name: `cart-${hash}-${at}`, namespace: 'shop', labels: { 'pod-template-hash': hash } },
      ownerReferences: [{ kind: 'ReplicaSet', name: `cart-${hash}`, controller: true }],
    },
    status: {
      ...{ phase: 'Running', podIP: ip, hostIP: '10.9.9.9', startTime: `${day(from)}T00:00:00Z` },
      containerStatuses: [
        { name: 'istio-proxy', imageID: `docker.io/istio/proxyv2@sha256:${'f'.repeat(64)}` },
        { name: 'cart', imageID: `registry.example/cart@${image}` },
      ],
    },
  }))

let api: TestApi
beforeAll(async () => {
  api = await openApi('replicas')
  const objects = [
    workload('cart'),
    workload('orders'),
    workload('web'),
    workload('legacy'),
    workload('gateway', 'edge'),
    service,
  ]
  await api.send('kubernetes-objects', objects.map((one) => JSON.stringify(one)).join('\n---\n'), api.token)
  const body = sent.map(line).join('\n')
  expect((await api.send('istio-json', body, api.token)).json()).toMatchObject({ accepted: sent.length, rejected: 0 })
})
afterAll(() => api.close())

/** As a service that is told of its Pods every few minutes knows them: until when they were there. */
async function declare(): Promise<void> {
  const told = [
    { objects: pods(FIRST, '5f7c9d8b6d', IMAGES.first, 1), until: `${day(RELEASE)}T00:00:00Z` },
    { objects: pods(SECOND, '7d8b6d5f7c', IMAGES.second, RELEASE), until: `${day(18)}T00:00:00Z` },
  ]
  for (const { objects, until } of told)
    await declareAddresses(api.store.jobs, readObjects(objects, '').addresses, new Date(until))
}

async function generate(options: object = {}): Promise<Generated> {
  const answer = await api.ask('/api/v1/policies', { method: 'POST', payload: options })
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json<Generated>()
}
const name = ({ caller, operation: { method, path } }: Permission) =>
  `${caller.principal.split('/').at(-1)} ${method} ${path}`
const told = ({ report }: Generated) =>
  report.permissions.map((one) => [name(one), one.evidence.replicas?.distinct, one.evidence.replicas?.of])

test('a permission tells from how many replicas it was used, of how many; with Pods declared, of which images', async () => {
  expect(told(await generate())).toEqual([
    // Of those that were seen at all.
    ['cart GET /forged', 0, 10],
    ['cart GET /items', 10, 10],
    ['cart GET /offers', 5, 10],
    ['cart POST /refunds', 1, 10],
    ['web GET /items', 1, 1],
  ])
  await declare()
  const { report, files } = await generate()
  expect(report.permissions.map((one) => [name(one), one.evidence.replicas])).toEqual([
    ['cart GET /forged', { distinct: 0, of: 5, images: [] }],
    ['cart GET /items', { distinct: 10, of: 10, images: [IMAGES.first, IMAGES.second] }],
    // Of those that were there meanwhile.
    ['cart GET /offers', { distinct: 5, of: 5, images: [IMAGES.second] }],
    ['cart POST /refunds', { distinct: 1, of: 5, images: [IMAGES.first] }],
    ['web GET /items', { distinct: 1, of: 1, images: [] }],
  ])
  const written = files.find(({ content }) => content.includes('kind: AuthorizationPolicy'))?.content
  expect(written).toContain('from at least 0 of 5 replicas of 2 images')
})

test('a replica that was taken over earns nothing in two weeks; what all replicas do after a release is earned', async () => {
  const { report } = await generate({ replicas: 2 })
  expect(report.permissions.map(name)).toEqual(['cart GET /items', 'cart GET /offers', 'web GET /items'])
  expect(report.skipped.filter(({ code }) => code === 'support')).toMatchObject([
    { reason: "it was seen from 0 of 2 replicas; the callee's owner may declare it", requests: 14 },
    { reason: "it was seen from 1 of 2 replicas; the callee's owner may declare it", requests: 14 * 21 },
  ])
  // All of those that it had.
  expect((await generate({ replicas: 32 })).report.permissions.map(name)).toEqual(report.permissions.map(name))
  expect((await api.ask('/api/v1/policies', { method: 'POST', payload: { replicas: 33 } })).statusCode).toBe(400)
})

test('with a baseline it waits for the word of its owner, however many replicas do it', async () => {
  const options = { replicas: 2, baseline: `${day(RELEASE)}T00:00:00Z` }
  expect((await generate(options)).report.permissions.map(name)).toEqual(['cart GET /items', 'web GET /items'])
  const offers = {
    ...{ id: 'offers', kind: 'regular', owner: 'team-orders', reason: 'a release', expires: '2099-01-01T00:00:00Z' },
    ...{ caller: 'cluster.local/ns/shop/sa/cart', callee: 'shop/orders', port: 8080, method: 'GET', path: '/offers' },
  }
  const payload = { permissions: [offers], why: 'a release' }
  const declared = await api.ask('/api/v1/policies/declared', { method: 'POST', payload })
  expect(declared.statusCode, declared.body).toBe(200)
  expect((await generate(options)).report.permissions.map(name)).toContain('cart GET /offers')
})

test('a gateway has its own replicas, not those who call it', async () => {
  const { permissions } = (await generate({ evidence: 'address' })).report
  const own = permissions.filter(({ callee }) => callee.workload === 'legacy')
  expect(own.map((one) => [name(one), one.evidence.replicas])).toEqual([['gateway GET /old', undefined]])
})

test('joined calls tell of their callers’ replicas, too', async () => {
  const at = '2026-11-05T10:00:30.000Z'
  const wrapped = (workload: string, log: object) =>
    JSON.stringify({
      log: JSON.stringify({ start_time: at, method: 'GET', path: '/stock', response_code: 200, duration: 5, ...log }),
      kubernetes: { namespace_name: 'shop', pod_name: `${workload}-5f7c9d8b6d-x2x4z`, container_name: 'istio-proxy' },
    })
  const lines = ['10.0.5.1:100', '10.0.5.2:100', '10.0.5.2:101'].flatMap((local) => [
    wrapped('orders', {
      ...{ upstream_cluster: 'inbound|8080||', upstream_host: '127.0.0.1:8080', upstream_local_address: '127.0.0.6:1' },
      ...{ downstream_local_address: '10.0.0.2:8080', downstream_remote_address: local },
    }),
    wrapped('reports', {
      ...{ upstream_cluster: 'outbound|80||orders.shop.svc.cluster.local', upstream_host: '10.0.0.2:8080' },
      ...{
        upstream_local_address: local,
        downstream_local_address: '10.96.0.1:80',
        downstream_remote_address: '127.0.0.1:9',
      },
    }),
  ])
  expect((await api.send('istio-json', lines.join('\n'), api.token)).json()).toMatchObject({ rejected: 0 })
  await api.cinch.analyze()
  const found = await generate({ principal: 'cluster.local/ns/{namespace}/sa/{workload}' })
  expect(told(found)).toContainEqual(['reports GET /stock', 2, 2])
})

test('days and hours tell the same as the facts themselves', async () => {
  // The hours before and behind a window's whole days, and the days.
  const window = { since: `${day(3)}T08:00:00Z`, until: `${day(6)}T09:00:00Z` }
  const rows = await query<{ path: string; marks: string }>(
    api.store.reads,
    `SELECT path, uniqExact(source_address) AS marks FROM request
     WHERE time >= '${day(3)} 08:00:00' AND time < '${day(6)} 09:00:00' AND decision = 'allowed' AND status = 200 AND source_principal LIKE '%/cart' AND source_address != '::' GROUP BY path ORDER BY path`,
  )
  const found = (await generate(window)).report.permissions.filter((one) => name(one).startsWith('cart'))
  expect(
    found
      .filter((one) => one.evidence.replicas?.distinct)
      .map((one) => [one.operation.path, one.evidence.replicas?.distinct]),
  ).toEqual(rows.map(({ path, marks }) => [path, Number(marks)]))
})
