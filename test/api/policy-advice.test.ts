import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import type { AdviceAnswer } from '../../services/api/lifecycle/advise.ts'
import type { DraftLife } from '../../services/model/lifecycle.ts'
import { accessLine, type ShortLine } from '../support/telemetry.ts'
import { openApi, type TestApi } from './support.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('advice')
  const workload = `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: orders, namespace: shop, labels: {owner: team-orders}}\nspec: {template: {metadata: {labels: {app: orders}}, spec: {}}}\n`
  await api.send('kubernetes-objects', workload, api.token)
  await send(
    Array.from({ length: 50 }, (_, at) => ({
      path: '/orders',
      at: `2026-11-05T10:00:${String(at).padStart(2, '0')}.000Z`,
    })),
  )
})
afterAll(() => api.close())

const send = async (lines: ShortLine[], rbac?: object) =>
  await api.send(
    'istio-json',
    lines
      .map((line) => JSON.stringify({ ...(JSON.parse(accessLine(line)) as object), ...(rbac ? { rbac } : {}) }))
      .join('\n'),
    api.token,
  )
const post = async <T>(path: string, body: object) => {
  const answer = await api.ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ why: 'a test', ...body }),
  })
  return { status: answer.statusCode, body: answer.json<T>() }
}
const step = async (action: string, more: object = {}, callee = 'shop/orders') =>
  await post<DraftLife & { error?: { message: string } }>('/api/v1/policies/drafts/steps', { callee, action, ...more })
const delivery = async () => (await api.ask('/api/v1/policies/delivery')).json<{ files: PolicyFile[] }>().files
const readBack = async (files: PolicyFile[]) =>
  (await post<{ confirmed: { callee: string; stage: string }[] }>('/api/v1/policies/read-back', { files })).body
const advice = async () => (await api.ask('/api/v1/policies/advice')).json<AdviceAnswer>()
/** After what was read back: a second's line is of the second's beginning. */
const now = (): string => new Date(Date.now() + 5).toISOString()

test('files go out in stages: the dry run beside, then enforced, the default last', async () => {
  await post('/api/v1/policies/drafts', {})
  for (const callee of ['shop/orders', 'shop/*']) {
    expect((await step('submit', {}, callee)).status).toBe(200)
    expect((await step('approve', { as: 'team-orders' }, callee)).body.state).toBe('approved')
  }
  expect(await delivery()).toEqual([])
  expect((await advice()).order.map(({ callee }) => callee)).toEqual(['shop/orders', 'shop/*'])
  await step('promote', { to: 'dry_run' })
  await step('promote', { to: 'dry_run' }, 'shop/*')
  const tried = await delivery()
  expect(tried.map(({ path }) => path)).toEqual([
    'dry-run/1-allow/shop.orders.yaml',
    'dry-run/3-default-deny/shop.yaml',
    'dry-run/4-guard/shop.yaml',
  ])
  for (const { content } of tried) expect(content).toContain('istio.io/dry-run: "true"')
  expect(await delivery()).toEqual(tried)
  expect((await readBack(tried)).confirmed.map(({ callee, stage }) => `${callee} ${stage}`)).toEqual([
    'shop/* dry_run',
    'shop/orders dry_run',
  ])

  expect(await step('promote', { to: 'enforced' }, 'shop/*')).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining('not enforced yet: shop/orders') } },
  })
  await step('promote', { to: 'enforced' })
  const enforced = await delivery()
  expect(enforced.map(({ path }) => path)).toEqual([
    '1-allow/shop.orders.yaml',
    '2-mtls/shop.orders.yaml',
    'dry-run/3-default-deny/shop.yaml',
    'dry-run/4-guard/shop.yaml',
  ])
  expect((await readBack(enforced)).confirmed).toMatchObject([{ callee: 'shop/orders', stage: 'enforced' }])
  expect((await step('promote', { to: 'enforced' }, 'shop/*')).status).toBe(200)
  expect((await readBack(await delivery())).confirmed).toMatchObject([{ callee: 'shop/*', stage: 'enforced' }])
  expect(await step('withdraw')).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining('withdraw that first') } },
  })
})

test('what is refused and was never served is told, and proposes nothing', async () => {
  await send(Array.from({ length: 30 }, () => ({ from: 'evil/eve', path: '/admin', denied: true, at: now() })))
  expect((await advice()).deployed).toMatchObject([
    {
      callee: 'shop/orders',
      action: 'keep',
      requests: 30,
      denied: 0,
      unknown: 30,
      calls: [{ source: 'cluster.local/ns/evil/sa/eve', path: '/admin' }],
    },
  ])
})

test('what is refused and was served before proposes to take it back', async () => {
  await send([{ path: '/orders', denied: true, at: now() }])
  expect((await advice()).deployed).toMatchObject([{ action: 'withdraw', denied: 1, expected: 0 }])
})

test('a dry run is judged by what would be denied', async () => {
  await send([{ path: '/orders/new', method: 'POST' }])
  await post('/api/v1/policies/drafts', { callees: ['shop/orders'] })
  await step('submit')
  await step('approve', { as: 'team-orders' })
  await step('promote', { to: 'dry_run' })
  const both = await delivery()
  expect(both.map(({ path }) => path).filter((path) => path.includes('orders'))).toEqual([
    '1-allow/shop.orders.yaml',
    '2-mtls/shop.orders.yaml',
    'dry-run/1-allow/shop.orders.yaml',
  ])
  expect((await readBack(both)).confirmed).toMatchObject([{ callee: 'shop/orders', stage: 'dry_run' }])
  const tried = async () =>
    (await advice()).deployed
      .filter(({ why }) => !why.startsWith('it denies'))
      .map(({ action, denied, unknown }) => ({ action, denied, unknown }))
      .at(-1)
  expect(await tried()).toEqual({ action: 'wait', denied: 0, unknown: 0 })
  await send(
    [
      { path: '/orders', at: now() },
      { path: '/orders', at: now() },
    ],
    { istio_dry_run_allow_shadow_engine_result: 'denied' },
  )
  expect(await tried()).toEqual({ action: 'withdraw', denied: 2, unknown: 0 })
  // The dry run lets it through: that makes it no call that was served before.
  await send([{ from: 'evil/eve', path: '/new', at: now() }], { istio_dry_run_allow_shadow_engine_result: 'denied' })
  expect(await tried()).toEqual({ action: 'withdraw', denied: 2, unknown: 1 })
})
