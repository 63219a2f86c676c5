import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { DraftAnswer, ReadBack } from '../../services/api/lifecycle/lifecycle.ts'
import type { DraftLife, LogEntry } from '../../services/model/lifecycle.ts'
import { run } from '../../services/store/store.ts'
import { accessLine } from '../support/telemetry.ts'
import { openApi, type TestApi } from './support.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('lifecycle')
  const workload = (name: string, owner: string) =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}, namespace: shop, labels: {owner: ${owner}}}\nspec: {selector: {matchLabels: {app: ${name}}}, template: {metadata: {labels: {app: ${name}}}, spec: {serviceAccountName: ${name}}}}\n`
  await api.send(
    'kubernetes-objects',
    [workload('web', 'team-web'), workload('orders', 'team-orders')].join('---\n'),
    api.token,
  )
  await api.send('istio-json', `${accessLine()}\n`, api.token)
})
afterAll(() => api.close())

const post = async <T>(path: string, body: object) => {
  const answer = await api.ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ why: 'a test', ...body }),
  })
  return { status: answer.statusCode, body: answer.body === '' ? ({} as T) : answer.json<T>() }
}
const step = async (action: string, more: object = {}) =>
  await post<DraftLife & { error?: { code: string; message: string } }>('/api/v1/policies/drafts/steps', {
    callee: 'shop/orders',
    action,
    ...more,
  })
const draft = async () => (await api.ask('/api/v1/policies/drafts/one?callee=shop/orders')).json<DraftAnswer>()
/** As `kubectl get -o yaml` gives it: the cluster's own notes around what was applied, comments gone. */
const asDeployed = ({ path, content }: { path: string; content: string }, dryRun = false) => ({
  path: `cluster-${path.replaceAll('/', '-')}`,
  content: parseAllDocuments(content)
    .map((document) => {
      const { metadata, ...rest } = document.toJS() as { metadata: { name: string } }
      const name = `${metadata.name}${dryRun ? '-dry-run' : ''}`
      const annotations = {
        'kubectl.kubernetes.io/last-applied-configuration': '…',
        ...(dryRun ? { 'istio.io/dry-run': 'true' } : {}),
      }
      return JSON.stringify({
        ...rest,
        metadata: { ...metadata, name, annotations, uid: '7', resourceVersion: '9' },
        status: {},
      })
    })
    .join('\n---\n'),
})

test('a draft goes its way by digest, owner and what is read back', async () => {
  const proposed = await post<{ proposed: { callee: string }[]; unchanged: number }>('/api/v1/policies/drafts', {})
  expect(proposed.body).toMatchObject({ proposed: [{ callee: 'shop/*' }, { callee: 'shop/orders' }], unchanged: 0 })
  expect((await post('/api/v1/policies/drafts', {})).body).toMatchObject({ proposed: [], unchanged: 2 })
  // More of the same is evidence, and no other content.
  await api.send('istio-json', `${accessLine({ at: '2026-11-05T10:00:01.000Z' })}\n`, api.token)
  expect((await post('/api/v1/policies/drafts', {})).body).toMatchObject({ proposed: [], unchanged: 2 })

  const { files, owners, digest } = await draft()
  expect({ owners, paths: files.map(({ path }) => path) }).toEqual({
    owners: ['team-orders'],
    paths: ['1-allow/shop.orders.yaml', '2-mtls/shop.orders.yaml'],
  })
  const readBack = async (dryRun?: boolean) =>
    (
      await post<{ confirmed: object[]; partial: object[]; refused: object[] }>('/api/v1/policies/read-back', {
        files: files.map((file) => asDeployed(file, dryRun)),
      })
    ).body
  expect(await readBack()).toMatchObject({
    confirmed: [],
    refused: [{ callee: 'shop/orders', stage: 'enforced', why: 'it is not approved' }],
  })

  expect((await step('submit')).body.state).toBe('in_review')
  expect(await step('approve', { as: 'team-web' })).toMatchObject({
    status: 409,
    body: { error: { code: 'step_refused', message: expect.stringContaining('its owner is team-orders') } },
  })
  expect((await step('approve', { as: 'team-orders', digest: digest.slice(0, 8) })).body).toMatchObject({
    state: 'approved',
    approvals: [{ as: 'team-orders', who: 'admin' }],
  })

  await post('/api/v1/policies/windows', { windows: [closedWindow()] })
  expect(await step('promote', { to: 'dry_run' })).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining('no change window is open') } },
  })
  await post('/api/v1/policies/windows', { windows: [] })
  expect((await step('promote', { to: 'enforced' })).status).toBe(409)
  expect((await step('promote', { to: 'dry_run' })).body.wanted).toBe('dry_run')
  expect(await readBack()).toMatchObject({ refused: [{ why: 'it was not promoted to be enforced' }] })
  expect(await readBack(true)).toMatchObject({ confirmed: [{ callee: 'shop/orders', stage: 'dry_run' }], refused: [] })
  expect((await step('promote', { to: 'enforced' })).body).toMatchObject({ state: 'dry_run', wanted: 'enforced' })
  expect(await readBack()).toMatchObject({ confirmed: [{ stage: 'enforced' }] })
  expect(await draft()).toMatchObject({ state: 'enforced', wanted: '', stale: false })
})

test('what is read back and cannot be read is refused with its file', async () => {
  const files = [{ path: 'a.yaml', content: 'a: &a [*a]' }]
  expect(await post('/api/v1/policies/read-back', { files })).toMatchObject({
    status: 400,
    body: { error: { code: 'bad_policy', message: expect.stringContaining('a.yaml') } },
  })
})

test('a new caller makes another draft, which has no approval', async () => {
  await api.send('istio-json', `${accessLine({ from: 'shop/cart', path: '/carts' })}\n`, api.token)
  const { body } = await post<{ proposed: { callee: string; digest: string }[] }>('/api/v1/policies/drafts', {
    callees: ['shop/orders'],
  })
  expect(body.proposed.map(({ callee }) => callee)).toEqual(['shop/orders'])
  expect(await draft()).toMatchObject({
    state: 'draft',
    approvals: [],
    replaces: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  expect((await step('promote', { to: 'dry_run' })).status).toBe(409)
})

test('what is kept of a draft and was changed in the store is not approved', async () => {
  await step('submit')
  const { rows } = api
  const before = await rows<{ content: string }>(
    "SELECT content FROM policy_draft WHERE content LIKE '%shop/sa/cart%' AND callee = 'shop/orders' LIMIT 1",
  )
  expect(before).toHaveLength(1)
  // With a version that fits the text: only the digest of what it says is left to show it.
  await api.store.jobs.command({
    query: `INSERT INTO policy_draft (target, callee, digest, version, part, parts, content)
            SELECT target, callee, digest, lower(hex(SHA256(changed))), part, parts, changed FROM
              (SELECT *, replaceAll(content, 'shop/sa/cart', 'evil/sa/eve') AS changed FROM policy_draft WHERE content LIKE '%shop/sa/cart%' AND callee = 'shop/orders')`,
  })
  expect(await step('approve', { as: 'team-orders' })).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining('is not what its digest says') } },
  })
})

test('declared permissions are in what is generated; every step is in a log that verifies', async () => {
  const expires = new Date(Date.now() + 86_400_000).toISOString()
  const permission = {
    id: 'dr',
    kind: 'failover',
    caller: 'cluster.local/ns/dr/sa/standby',
    callee: 'shop/orders',
    owner: 'team-orders',
    reason: 'stands in',
    expires,
  }
  expect((await post('/api/v1/policies/declared', { permissions: [{ ...permission, owner: '' }] })).status).toBe(400)
  expect((await post('/api/v1/policies/declared', { permissions: [permission] })).status).toBe(200)
  const generated = await post<{ report: { permissions: { declared?: { id: string }[] }[] } }>('/api/v1/policies', {})
  // The route of generation takes no reason.
  expect(generated.status).toBe(400)
  const answer = await api.ask('/api/v1/policies', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  const { report } = answer.json<{ report: { permissions: { declared?: { id: string }[] }[] } }>()
  expect(report.permissions.flatMap(({ declared = [] }) => declared.map(({ id }) => id))).toEqual(['dr'])
  expect((await post('/api/v1/policies/declared/lift', { id: 'dr' })).status).toBe(204)
  expect((await post('/api/v1/policies/declared/lift', { id: 'dr' })).status).toBe(404)

  const { entries } = (await api.ask('/api/v1/policies/log')).json<{ entries: LogEntry[] }>()
  expect(new Set(entries.map(({ who }) => who))).toEqual(new Set(['admin']))
  expect(entries.flatMap(({ said }) => (said.about === 'draft' ? [said.step.action] : [said.about]))).toEqual([
    ...['propose', 'propose', 'submit', 'approve', 'windows', 'windows', 'promote', 'confirm', 'promote', 'confirm'],
    ...['propose', 'submit', 'declare', 'lift'],
  ])
  expect((await api.ask('/api/v1/policies/log/verify')).json()).toMatchObject({ entries: entries.length, faults: [] })
  expect((await api.ask(`/api/v1/policies/log/verify?head=1:${'0'.repeat(64)}`)).json()).toMatchObject({
    faults: [{ seq: 1 }],
  })
  expect((await api.ask('/api/v1/policies/log/verify?head=x')).statusCode).toBe(400)
})

test('what may leave a namespace is a draft of its own: its callers’ owner approves it, and it has no dry run', async () => {
  const callee = 'shop/*egress'
  // What was changed in the store is not read back.
  await step('withdraw')
  const callOut = async (host: string, at: string) =>
    await run(
      api.store.jobs,
      `INSERT INTO request (time, source_format, sender, reporter, source_namespace, source_workload, source_evidence, destination_service,
         destination_kind, service_port, protocol, status, decision, stage)
       SELECT parseDateTime64BestEffort({at:String}, 6, 'UTC'), 'istio-json', 'operator', 'source', 'shop', 'web', 'address', {host:String}, 'external',
         443, 'tcp', 0, 'allowed', 'end'`,
      { host, at },
    )
  const propose = async () =>
    (
      await post<{ proposed: { callee: string }[]; unchanged: number }>('/api/v1/policies/drafts', {
        callees: [callee],
      })
    ).body
  const one = async () =>
    (await api.ask(`/api/v1/policies/drafts/one?callee=${encodeURIComponent(callee)}`)).json<DraftAnswer>()
  expect(await propose()).toEqual({ proposed: [], unchanged: 0 })
  await callOut('api.bank.example', '2026-11-05T10:00:00Z')
  expect(await propose()).toMatchObject({ proposed: [{ callee }], unchanged: 0 })
  // More of the same is evidence, and no other content.
  await callOut('api.bank.example', '2026-11-06T10:00:00Z')
  expect(await propose()).toEqual({ proposed: [], unchanged: 1 })
  const { files, owners, permissions, predicted } = await one()
  expect({ owners, permissions, paths: files.map(({ path }) => path) }).toEqual({
    owners: ['team-web'],
    permissions: [],
    paths: ['1-egress/shop.yaml', '5-registry-only/shop.yaml'],
  })
  expect(files[0]?.content).toContain('api.bank.example')
  expect(predicted).toMatchObject({ requests: 1, newly_denied: 0, denied_operations: 0 })

  expect((await step('submit', { callee })).body.state).toBe('in_review')
  expect((await step('approve', { callee, as: 'team-orders' })).status).toBe(409)
  expect((await step('approve', { callee, as: 'team-web' })).body.state).toBe('approved')
  expect((await step('promote', { callee, to: 'dry_run' })).status).toBe(409)
  expect((await step('promote', { callee, to: 'enforced' })).body.wanted).toBe('enforced')
  const delivered = await api.cinch.lifecycle.deliver('istio')
  for (const { path, content } of files) expect(delivered).toContainEqual({ path, content })
  const readBack = await post<ReadBack>('/api/v1/policies/read-back', { files: files.map((file) => asDeployed(file)) })
  expect(readBack.status, JSON.stringify(readBack.body)).toBe(200)
  expect(readBack.body.confirmed).toContainEqual(expect.objectContaining({ callee, stage: 'enforced' }))
  expect(await one()).toMatchObject({ state: 'enforced', stale: false })

  await callOut('new.example', '2026-11-06T11:00:00Z')
  expect(await propose()).toMatchObject({ proposed: [{ callee }] })
  expect(await one()).toMatchObject({
    state: 'draft',
    approvals: [],
    replaces: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test('a namespace whose proxies told of calls on a week of days, and of none to the outside, lets nothing out', async () => {
  const callInside = async (day: number) =>
    await run(
      api.store.jobs,
      `INSERT INTO request (time, source_format, sender, reporter, source_namespace, source_workload, source_evidence, destination_namespace,
         destination_workload, service_port, protocol, status, decision, stage)
       SELECT parseDateTime64BestEffort({at:String}, 6, 'UTC'), 'istio-json', 'operator', 'source', 'quiet', 'job', 'address', 'shop', 'orders', 80, 'http',
         200, 'allowed', 'end'`,
      { at: `2026-11-0${day}T10:00:00Z` },
    )
  const asked = { callees: ['quiet/*egress'] }
  const propose = async () =>
    (await post<{ proposed: { callee: string }[] }>('/api/v1/policies/drafts', asked)).body.proposed
  for (const day of [1, 2, 3, 4, 5, 6]) await callInside(day)
  expect(await propose()).toEqual([])
  await callInside(7)
  expect(await propose()).toMatchObject([{ callee: 'quiet/*egress' }])
  const one = (await api.ask('/api/v1/policies/drafts/one?callee=quiet%2F*egress')).json<DraftAnswer>()
  expect(one.files.map(({ path }) => path)).toEqual(['5-registry-only/quiet.yaml'])
  expect(one.files[0]?.content).toContain('shop/*.svc.cluster.local')
})

/** One that is closed now, whenever the test runs: an hour of another day. */
function closedWindow(): string {
  const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  return `${days[(new Date().getUTCDay() + 3) % 7]} 00:00-01:00`
}
