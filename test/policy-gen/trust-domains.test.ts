import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { generate } from '../../policy-gen/generate.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import { inventoryOf, operation, WINDOW } from './support.ts'

const NEW = operation({ principal: 'td2/ns/shop/sa/web' })
const OLD = operation({ principal: 'td1/ns/shop/sa/web' })
const LEFT = operation({ principal: 'cluster.local/ns/shop/sa/web' })
const OTHER = operation({ principal: 'td3/ns/shop/sa/web' })
const known = (...names: string[]): Inventory => ({
  ...inventoryOf([NEW]),
  ...(names.length > 0 ? { trustDomains: [{ cluster: '', names }] } : {}),
})

function policy(source: object, action = 'ALLOW', when?: object[]) {
  const rules = [{ from: [{ source }], ...(when ? { when } : {}) }]
  const metadata = { name: 'orders', namespace: 'shop' }
  const content = stringify({
    ...{ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata, spec: { action, rules } },
  })
  return [{ path: 'a.yaml', content }]
}

/** Whether each of the four callers is served: `td2`, `td1`, `cluster.local`, `td3`. */
const served = (files: { path: string; content: string }[], inventory: Inventory) =>
  [NEW, OLD, LEFT, OTHER].map((one) => replay(files, [one], { inventory, window: WINDOW }).still_allowed === 10)

// What pilot/pkg/security/trustdomain/bundle_test.go of Istio expects, as decisions: td2 is the mesh's own, td1 its alias.
describe('principals under aliases of the trust domain', () => {
  const mesh = known('td2', 'td1')
  it.each([
    ['the own domain is each', 'td2/ns/shop/sa/web', [true, true, false, false]],
    ['an alias is each', 'td1/ns/shop/sa/web', [true, true, false, false]],
    [
      'cluster.local is the mesh’s own and its aliases, and nothing else',
      'cluster.local/ns/shop/sa/web',
      [true, true, false, false],
    ],
    ['a domain of others stays', 'td3/ns/shop/sa/web', [false, false, false, true]],
    ['a star is any domain', '*/ns/shop/sa/web', [true, true, true, true]],
    ['a prefix of another length than five parts stays', 'td1/*', [false, true, false, false]],
    ['what all domains end with is expanded once one of them does', '*2/ns/shop/sa/web', [true, true, false, false]],
    ['anybody', '*', [true, true, true, true]],
  ])('%s', (_, principal, expected) => {
    expect(served(policy({ principals: [principal] }), mesh)).toEqual(expected)
  })

  it('without a mesh configuration a principal is what it says', () => {
    expect(served(policy({ principals: ['td1/ns/shop/sa/web'] }), known())).toEqual([false, true, false, false])
    expect(served(policy({ principals: ['cluster.local/ns/shop/sa/web'] }), known())).toEqual([
      false,
      false,
      true,
      false,
    ])
  })

  it('notPrincipals, conditions and DENY are expanded, too', () => {
    const alias = 'td1/ns/shop/sa/web'
    expect(served(policy({ notPrincipals: [alias] }), mesh)).toEqual([false, false, true, true])
    expect(served(policy({ principals: [alias] }, 'DENY'), mesh)).toEqual([false, false, true, true])
    const when = [{ key: 'source.principal', values: [alias] }]
    expect(served(policy({ principals: ['*'] }, 'ALLOW', when), mesh)).toEqual([true, true, false, false])
  })

  it('each cluster has its own', () => {
    const east = operation({ principal: 'td1/ns/shop/sa/web', to: 'east/shop/orders' })
    const west = operation({ principal: 'td1/ns/shop/sa/web', to: 'west/shop/orders' })
    const inventory: Inventory = {
      ...inventoryOf([east, west]),
      trustDomains: [
        { cluster: 'east', names: ['td2', 'td1'] },
        { cluster: 'west', names: ['td2'] },
      ],
    }
    const files = policy({ principals: ['td2/ns/shop/sa/web'] })
    const allowed = [east, west].map((one) => replay(files, [one], { inventory, window: WINDOW }).still_allowed)
    expect(allowed).toEqual([10, 0])
  })

  it('what is generated while a mesh changes its domain serves both, and goes on when one is seen no more', () => {
    const { files } = generate([OLD, NEW], mesh, targetById('istio'), { window: WINDOW })
    expect(served(files, mesh)).toEqual([true, true, false, false])
    const before = generate([OLD], mesh, targetById('istio'), { window: WINDOW })
    expect(served(before.files, mesh)).toEqual([true, true, false, false])
  })
})
