import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectError, runHere, type Served, scratch, startServe } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine } from '../support/telemetry.ts'

/** The life of a draft on the command line, first where this process holds the store, then over the API of one that serves it. */
const room = scratch('lifecycle')
const store = newStore(room.path('store'))
const cinch = async (...args: string[]) => await runHere(args, { store })
const WHY = ['--why', 'as agreed']
const DECLARED = `permissions:
  - {id: restore, kind: recovery, caller: cluster.local/ns/ops/sa/restore, callee: shop/orders, owner: team-orders, reason: backups, expires: 2099-01-01}
`

beforeAll(async () => {
  const objects = `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: orders, namespace: shop, labels: {owner: team-orders}}\nspec: {template: {metadata: {labels: {app: orders}}, spec: {}}}\n`
  writeFileSync(room.path('objects.yaml'), objects)
  writeFileSync(room.path('lines.log'), `${accessLine()}\n`)
  writeFileSync(room.path('declared.yaml'), DECLARED)
  await cinch('ingest', '--source', 'kubernetes-objects', room.path('objects.yaml'))
  await cinch('ingest', '--source', 'istio-json', room.path('lines.log'))
})
afterAll(() => room.close())

describe('in this process', () => {
  test('a draft goes from proposal to what the cluster has', async () => {
    expect((await cinch('policies', 'declare', room.path('declared.yaml'), ...WHY)).stdout).toMatch(
      /^restore +recovery /m,
    )
    expectError(await cinch('policies', 'propose'), 'usage', 2)
    expect((await cinch('policies', 'propose', ...WHY)).stdout).toMatch(
      /^2 drafts are new, 0 say what they said\nshop\/\* .*\nshop\/orders /,
    )
    await cinch('policies', 'submit', 'shop/orders', ...WHY)
    expectError(await cinch('policies', 'approve', 'shop/orders', '--as', 'team-web', ...WHY), 'step_refused', 2)
    expectError(await cinch('policies', 'approve', 'shop/gone', '--as', 'team-web', ...WHY), 'not_found', 2)
    expect((await cinch('policies', 'approve', 'shop/orders', '--as', 'team-orders', ...WHY)).stdout).toContain(
      'approved',
    )
    expect((await cinch('policies', 'promote', 'shop/orders', ...WHY)).stdout).toContain('approved, to be dry_run')
    const out = room.path('repository')
    expect((await cinch('policies', 'deliver', '--out', out)).code).toBe(0)
    expect(readFileSync(`${out}/dry-run/1-allow/shop.orders.yaml`, 'utf8')).toContain(
      'declared recovery restore by team-orders until 2099',
    )
    expect((await cinch('policies', 'read-back', out, ...WHY)).stdout).toBe(
      '1 are now where they were promoted to\n  shop/orders: dry_run\n',
    )
    await cinch('policies', 'promote', 'shop/orders', ...WHY)
    await cinch('policies', 'deliver', '--out', out)
    // What an earlier delivery wrote, and this one has not, is gone.
    expect(readdirSync(out)).toEqual(['.cinch-generated', '1-allow', '2-mtls'])
    expect((await cinch('policies', 'read-back', out, ...WHY)).stdout).toContain('shop/orders: enforced')
    expect((await cinch('policies', 'drafts')).stdout).toMatch(
      /^shop\/orders +[0-9a-f]{12} +enforced +team-orders +team-orders +0 /m,
    )
    expect((await cinch('policies', 'show', 'shop/orders')).stdout).toContain('--- 1-allow/shop.orders.yaml')
  })

  test('what is deployed by nobody’s word is exit 1', async () => {
    const file = `${room.path('repository')}/1-allow/shop.orders.yaml`
    const written = readFileSync(file, 'utf8')
    writeFileSync(file, written.replaceAll('ns/shop/sa/web', 'ns/shop/sa/other'))
    const ran = await cinch('policies', 'read-back', room.path('repository'), ...WHY)
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({
      code: 1,
      stdout: expect.stringContaining('in part only, or changed: shop/orders'),
    })
    expect(ran.stdout).toContain('of no draft: AuthorizationPolicy shop/cinch-allow-orders')
    writeFileSync(file, written)
  })

  test('windows, the log, and its head', async () => {
    expect((await cinch('policies', 'windows', 'Mon-Thu 09:00-16:00', ...WHY)).stdout).toBe('Mon-Thu 09:00-16:00\n')
    expectError(await cinch('policies', 'windows', 'whenever', ...WHY), 'bad_option', 2)
    expect((await cinch('policies', 'windows', 'always', ...WHY)).stdout).toBe('always\n')
    const verdict = await cinch('policies', 'log', '--verify')
    expect(verdict.code).toBe(0)
    const head = /--head (\S+)/.exec(verdict.stdout)?.[1] ?? ''
    expect((await cinch('policies', 'log', '--verify', '--head', head)).code).toBe(0)
    const other = `${head.slice(0, -1)}${head.endsWith('0') ? '1' : '0'}`
    expect((await cinch('policies', 'log', '--verify', '--head', other)).code).toBe(1)
    expect((await cinch('policies', 'log')).stdout).toMatch(/approve as team-orders +shop\/orders/)
  })
})

describe('over the API of a serving process', () => {
  let served: Served
  beforeAll(async () => {
    served = await startServe(store)
  })
  afterAll(async () => {
    await served.stop()
  })

  test('the same, and who it was is known by the token', async () => {
    const drafts = (await cinch('policies', 'drafts', '--json')).json<{ drafts: { callee: string; state: string }[] }>()
      .drafts
    expect(drafts.map(({ callee, state }) => `${callee} ${state}`)).toEqual(['shop/* draft', 'shop/orders enforced'])
    expect((await cinch('policies', 'submit', 'shop/*', ...WHY)).stdout).toContain('in_review')
    expect((await cinch('policies', 'approve', 'shop/*', '--as', 'team-orders', ...WHY)).stdout).toContain('approved')
    expectError(await cinch('policies', 'withdraw', 'shop/gone', ...WHY), 'not_found', 2)
    expect((await cinch('policies', 'promote', 'shop/*', ...WHY)).stdout).toContain('to be dry_run')
    expect((await cinch('policies', 'deliver', '--out', room.path('remote'))).code).toBe(0)
    expect((await cinch('policies', 'read-back', room.path('remote'), ...WHY)).stdout).toContain('shop/*: dry_run')
    expect((await cinch('policies', 'propose', ...WHY)).stdout).toContain('0 drafts are new')
    expect((await cinch('policies', 'advice')).stdout).toMatch(/^keep +shop\/orders /m)
    expect((await cinch('policies', 'privilege')).stdout).toContain('one rule for each callee')
    expect((await cinch('policies', 'declared')).stdout).toContain('restore')
    expect((await cinch('policies', 'declare', 'lift', 'restore', ...WHY)).stdout).toBe('restore is declared no more\n')
    expect((await cinch('policies', 'declare', room.path('declared.yaml'), ...WHY)).code).toBe(0)
    const { entries } = (await cinch('policies', 'log', '--json')).json<{ entries: { who: string }[] }>()
    expect(entries.at(-1)?.who).toBe('admin')
    expect((await cinch('policies', 'log', '--verify')).code).toBe(0)
    expect((await cinch('policies', 'windows')).stdout).toBe('always\n')
  })
})
