import { describe, expect, test } from 'vitest'
import { generate } from '../../policy-gen/generate.ts'
import { preflight, TRAPS } from '../../policy-gen/preflight/preflight.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import {
  inventory,
  inventoryOf,
  operation,
  readCases,
  type ShortInventory,
  type ShortOperation,
  WINDOW,
} from './support.ts'

interface PreflightCase {
  trap: string
  what: string
  requests?: number
  policies: string
  repaired: string
  workloads?: ShortInventory['workloads']
  repairedWorkloads?: ShortInventory['workloads']
  services?: ShortInventory['services']
  operations?: ShortOperation[]
}

const CASES = readCases<PreflightCase[]>('preflight.yaml')

const find = (content: string, found: PreflightCase, workloads: ShortInventory['workloads']) =>
  preflight([{ path: 'set/all.yaml', content }], (found.operations ?? []).map(operation), {
    inventory: inventory({
      workloads: workloads ?? { 'shop/orders': { app: 'orders' } },
      ...(found.services ? { services: found.services } : {}),
    }),
    window: WINDOW,
  })

describe.each(CASES.map((found, index) => ({ ...found, name: `${found.trap} (${index})` })))('$name', (found) => {
  test('is found, and nothing else is', () => {
    const { findings } = find(found.policies, found, found.workloads)
    expect(findings.map(({ trap }) => trap)).toEqual([found.trap])
    expect(findings[0]).toMatchObject({ file: 'set/all.yaml', requests: found.requests ?? 0 })
    expect(findings[0]?.what).toContain(found.what)
    expect(findings[0]?.fix).not.toBe('')
  })

  test('is silent on the repaired twin', () => {
    expect(find(found.repaired, found, found.repairedWorkloads ?? found.workloads).findings).toEqual([])
  })
})

test('every trap has a case', () => {
  expect([...new Set(CASES.map(({ trap }) => trap))].sort()).toEqual(TRAPS.map(({ id }) => id).sort())
})

test('a generated draft walks into none', () => {
  const seen = [operation({}), operation({ to: 'shop/stock', method: 'POST', path: '/levels/{int}' })]
  const inventoryOfSeen = inventoryOf(seen)
  const { files } = generate(seen, inventoryOfSeen, targetById('istio'), { window: WINDOW })
  const { findings, looked_for } = preflight(files, seen, { inventory: inventoryOfSeen, window: WINDOW })
  expect(findings).toEqual([])
  expect(looked_for).toHaveLength(TRAPS.length)
})

test('nor does one for ambient mode', () => {
  const seen = [
    operation({ service: 'orders', servicePort: 80 }),
    operation({ from: 'edge/gateway', service: 'orders', servicePort: 80 }),
    operation({ to: 'shop/stock', protocol: 'tcp', method: '', path: '', port: 6379, requests: 900 }),
  ]
  const known = inventory({
    workloads: { 'shop/orders': { app: 'orders' }, 'shop/stock': { app: 'stock' }, 'shop/web': { app: 'web' } },
    services: { 'shop/orders': { selector: { app: 'orders' }, ports: { 80: 8080 } } },
  })
  const { files } = generate(seen, known, targetById('istio'), { window: WINDOW, ambient: ['shop'] })
  expect(files.map(({ path }) => path)).toContain('0-waypoint/shop.yaml')
  expect(preflight(files, seen, { inventory: known, window: WINDOW }).findings).toEqual([])
})
