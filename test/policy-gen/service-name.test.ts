import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { diff } from '../../policy-gen/diff/diff.ts'
import { generate } from '../../policy-gen/generate.ts'
import { unitsOf } from '../../policy-gen/lifecycle/units.ts'
import { preflight } from '../../policy-gen/preflight/preflight.ts'
import { propose } from '../../policy-gen/propose.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import { createParties } from '../../services/analyzer/graph/parties.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import { NOTHING } from '../analyzer/rows.ts'
import { inventory, operation, WINDOW } from './support.ts'

/** As logs without Pod names tell it: the callee has its Service's name, the port is the Service's. */
const toService = {
  to: 'shop/catalog',
  service: 'catalog.shop',
  port: 0,
  servicePort: 80,
  method: 'GET',
  path: '/books',
}
const ASKED = [operation(toService)]
const V1 = { app: 'catalog', version: 'v1' }
const V2 = { app: 'catalog', version: 'v2' }
const catalog = (selector: Record<string, string> = { app: 'catalog' }) => ({
  'shop/catalog': { selector, ports: { '80': 8080 } },
})
const ONE = inventory({ workloads: { 'shop/catalog-v1': V1 }, services: catalog() })
const TWO = inventory({ workloads: { 'shop/catalog-v1': V1, 'shop/catalog-v2': V2 }, services: catalog() })
const NONE = inventory({ workloads: { 'shop/catalog-v1': V1 }, services: catalog({ app: 'books' }) })
/** Neither label tells which of the two applications answers for the Service. */
const APART = inventory({
  workloads: { 'shop/books': { tier: 'back', app: 'books' }, 'shop/films': { tier: 'back', app: 'films' } },
  services: catalog({ tier: 'back' }),
})
const oneAccount = ({ workloads, services }: Inventory): Inventory => ({
  services,
  workloads: workloads.map((one) => ({ ...one, serviceAccount: 'catalog' })),
})
const istio = targetById('istio')

const rule = (selector: Record<string, string>, path = '/books') => ({
  path: `${JSON.stringify(selector)}.yaml`.replace(/\W/g, ''),
  content: stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: Object.values(selector).join('-'), namespace: 'shop' },
    spec: {
      selector: { matchLabels: selector },
      rules: [
        {
          from: [{ source: { principals: ['cluster.local/ns/shop/sa/web'] } }],
          to: [{ operation: { ports: ['8080'], methods: ['GET'], paths: [path] } }],
        },
      ],
    },
  }),
})
const yaml = ({ path, content }: { path: string; content: string }) => ({ path: `${path}.yaml`, content })

describe('policies for a callee that is known by its Service', () => {
  it('is how a line without Pod names tells it', () => {
    const row = { ...NOTHING, destination_service: 'catalog.shop' }
    const told = { id: 'shop/catalog', namespace: 'shop', workload: 'catalog' }
    expect(createParties([row], TWO).destination(row)).toMatchObject(told)
    expect(createParties([row], ONE).destination(row)).toMatchObject({ id: 'shop/catalog-v1' })
  })

  it.each([
    ['one workload', ONE],
    ['two of different accounts', TWO],
    ['two of one account', oneAccount(TWO)],
  ])('%s behind it: the selector is theirs, the port the workload’s', (_, known) => {
    const { permissions, skipped } = propose(ASKED, known)
    expect(skipped).toEqual([])
    expect(permissions).toMatchObject([
      {
        port: 8080,
        callee: { workload: 'catalog', members: ['catalog'], selector: { app: 'catalog' }, selectorBasis: 'inventory' },
      },
    ])
  })

  it('no workload behind it: nothing is selected, unless a rule says what', () => {
    expect(propose(ASKED, NONE).skipped).toMatchObject([{ code: 'callee', callee: 'shop/catalog', requests: 10 }])
    const [permission] = propose(ASKED, NONE, { selectorRule: 'app={workload}' }).permissions
    expect(permission?.callee).toMatchObject({ selector: { app: 'catalog' }, selectorBasis: 'assumed' })
  })

  it('a Service without a selector leads to no workload', () => {
    const known = inventory({ workloads: { 'shop/catalog-v1': V1 }, services: catalog({}) })
    expect(propose(ASKED, known).permissions).toEqual([])
  })

  it('two applications behind it are not granted each other’s rules', () => {
    const { permissions, skipped } = propose(ASKED, APART)
    expect(permissions).toEqual([])
    expect(skipped[0]?.reason).toContain('behind the Service shop/catalog')
    expect(skipped[0]?.reason).toContain('books, films')
  })

  it('a workload of the Service’s name goes before it, and another Service’s name is none', () => {
    const workloads = { 'shop/catalog': { app: 'old' }, 'shop/catalog-v1': V1 }
    const own = propose(ASKED, inventory({ workloads, services: catalog() })).permissions[0]
    expect(own?.callee.selector).toEqual({ app: 'old' })
    expect(propose([operation({ ...toService, service: 'front.shop' })], ONE).permissions).toEqual([])
  })

  it('the same callee by its workload’s name and by its Service’s is one', () => {
    const both = [...ASKED, operation({ to: 'shop/catalog-v1', path: '/films' })]
    const { permissions } = propose(both, TWO)
    expect(new Set(permissions.map(({ callee }) => callee)).size).toBe(1)
    expect(permissions[0]?.callee.members).toEqual(['catalog', 'catalog-v1'])
  })

  it('owners are those of the workloads, and replay knows the callee', () => {
    const known = { ...TWO, workloads: TWO.workloads.map((one) => ({ ...one, owner: 'team-books' })) }
    const [unit] = unitsOf(propose(ASKED, known).permissions, known, istio, WINDOW)
    expect(unit).toMatchObject({ owners: ['team-books'], destinations: ['shop/catalog'] })
  })

  it('a caller that is known by its Service has the account that all behind it share', () => {
    const claimed = [operation({ from: 'shop/catalog', principal: '', evidence: 'claimed' })]
    const orders = { 'shop/orders': { app: 'orders' } }
    const workloads = { ...orders, 'shop/catalog-v1': V1, 'shop/catalog-v2': V2 }
    const known = inventory({ workloads, services: catalog() })
    const options = { minimumEvidence: 'claimed', principalRule: 'td/ns/{namespace}/sa/{serviceAccount}' } as const
    expect(propose(claimed, known, options).skipped[0]?.reason).toContain('{serviceAccount}')
    const [permission] = propose(claimed, oneAccount(known), options).permissions
    expect(permission?.caller.principal).toBe('td/ns/shop/sa/catalog')
    expect(permission?.caller.workloads[0]?.selector).toEqual({ app: 'catalog' })
  })
})

describe('replay on a callee that is known by its Service', () => {
  const verdict = (files: { path: string; content: string }[], known: Inventory, asked = ASKED) => {
    const { still_allowed, newly_denied, uncertain } = replay(files, asked, { inventory: known, window: WINDOW })
    return still_allowed === 10 ? 'allowed' : newly_denied.length > 0 ? 'denied' : (uncertain[0]?.reason ?? '')
  }
  const whole = [yaml(rule({ app: 'catalog' }))]
  const v1 = yaml(rule(V1))
  const v2 = yaml(rule(V2))

  it.each([
    ['one', ONE],
    ['two', TWO],
    ['two of one account', oneAccount(TWO)],
  ])('what was generated allows what was seen: %s', (_, known) => {
    const { files } = generate(ASKED, known, istio, { window: WINDOW })
    expect(verdict(files, known)).toBe('allowed')
    expect(verdict(whole, known)).toBe('allowed')
    expect(verdict(whole, known, [operation({ ...toService, path: '/films' })])).toBe('denied')
    expect(verdict(whole, known, [operation({ ...toService, from: 'shop/job' })])).toBe('denied')
  })

  it('what the workloads behind it would answer alike is known, else it is not', () => {
    expect(verdict([v1], ONE)).toBe('allowed')
    expect(verdict([v1, v2], TWO)).toBe('allowed')
    // No policy selects v2, so it serves; v1 has one that does not allow the path.
    const other = yaml(rule(V1, '/films'))
    expect(verdict([other], ONE)).toBe('denied')
    expect(verdict([other], TWO)).toContain('which of the Service')
    expect(verdict([other], TWO)).toContain('catalog-v1')
    expect(verdict([other, yaml(rule(V2, '/films'))], TWO)).toBe('denied')
  })

  it('nothing is known of a Service that selects nothing', () => {
    expect(verdict(whole, NONE)).toContain('not known')
  })

  it('a diff takes the rule of each workload behind it for used', () => {
    const { revoke, kept } = diff([v1, v2], ASKED, { inventory: TWO, window: WINDOW })
    expect({ revoke, kept }).toEqual({ revoke: [], kept: 2 })
    expect(diff([v1, v2], ASKED, { inventory: ONE, window: WINDOW }).revoke).toHaveLength(1)
  })

  it('STRICT at one of the workloads breaks plaintext to the Service', () => {
    const content = stringify({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'v2', namespace: 'shop' },
      spec: { selector: { matchLabels: V2 }, mtls: { mode: 'STRICT' } },
    })
    const plain = [operation({ ...toService, mtls: 'no' })]
    const traps = (known: Inventory) =>
      preflight([{ path: 'peer.yaml', content }], plain, { inventory: known, window: WINDOW }).findings.map(
        ({ trap }) => trap,
      )
    expect(traps(TWO)).toContain('strict_plaintext')
    expect(traps(ONE)).not.toContain('strict_plaintext')
  })
})
