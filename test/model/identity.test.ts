import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareIdentities,
  parseIdentity,
  parsePrincipal,
  printIdentity,
  sharedPrincipals,
} from '../../services/model/identity.ts'

const read = (text: string) => {
  const parsed = parseIdentity(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.reason}`)
  return parsed.value
}
const reason = (text: string) => {
  const parsed = parseIdentity(text)
  return parsed.ok ? '' : parsed.reason
}

describe('identities of all platforms', () => {
  test.each([
    ['spiffe://cluster.local/ns/shop/sa/orders', { platform: 'istio', namespace: 'shop', serviceAccount: 'orders' }],
    ['cluster.local/ns/shop/sa/orders', { platform: 'istio', namespace: 'shop', serviceAccount: 'orders' }],
    ['spiffe://acme.svc.id.goog/ns/shop/sa/orders', { platform: 'gke', namespace: 'shop' }],
    ['spiffe://pool.global.123.workload.id.goog/ns/shop/sa/orders', { platform: 'gke' }],
    ['spiffe://default.east.mesh.local/ns/shop/sa/orders', { platform: 'kuma', namespace: 'shop' }],
    ['spiffe://default/orders_shop_svc_80', { platform: 'kuma', service: 'orders_shop_svc_80', namespace: 'shop' }],
    [
      'spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web',
      { platform: 'consul', service: 'web', datacenter: 'dc1', partition: '' },
    ],
    ['spiffe://u.consul/ap/team/ns/default/dc/dc1/svc/web', { platform: 'consul', partition: 'team' }],
    ['spiffe://u.consul/gateway/mesh/dc/dc1', { platform: 'consul', role: 'gateway' }],
    ['spiffe://u.consul/agent/client/dc/dc1/id/node-1', { platform: 'consul', role: 'infrastructure' }],
    ['spiffe://example.org/spire/agent/k8s_psat/prod/1', { platform: 'spire', role: 'infrastructure' }],
    ['spiffe://spiffe.cilium/identity/4711', { platform: 'cilium' }],
    ['spiffe://example.org/billing/api', { platform: 'other', role: 'workload' }],
    [
      'default.emojivoto.serviceaccount.identity.linkerd.cluster.local',
      {
        kind: 'linkerd',
        platform: 'linkerd',
        namespace: 'emojivoto',
        serviceAccount: 'default',
        controlPlane: 'linkerd',
        trustDomain: 'cluster.local',
      },
    ],
    ['shop/orders', { kind: 'workload', namespace: 'shop', name: 'orders' }],
    ['gateway:istio-system/ingress', { kind: 'gateway', name: 'ingress' }],
    [
      'user:https%3A%2F%2Fidp.example%2Frealms%2Fa/alice%2Fbob',
      { kind: 'user', issuer: 'https://idp.example/realms/a', subject: 'alice/bob' },
    ],
    ['device:laptop-7', { kind: 'device', name: 'laptop-7' }],
    ['external:API.Bank.Example.', { kind: 'external', host: 'api.bank.example' }],
    ['infrastructure:node%2Fa', { kind: 'infrastructure', name: 'node/a' }],
    ['address:::ffff:10.0.0.1', { kind: 'address', address: '10.0.0.1' }],
    ['address:2001:DB8:0:0::1', { kind: 'address', address: '2001:db8::1' }],
  ])('%s', (text, expected) => {
    const identity = read(text)
    expect(identity).toMatchObject(expected)
    expect(read(printIdentity(identity))).toEqual(identity)
  })

  test.each([
    ['spiffe:///ns/a/sa/b', 'no trust domain'],
    ['spiffe://user@a/b', 'neither user nor port'],
    ['spiffe://a:80/b', 'neither user nor port'],
    ['spiffe://a b/c', 'letters, digits'],
    ['spiffe://a/b/', 'slash'],
    ['spiffe://a//b', 'empty segments'],
    ['spiffe://a/../b', 'dot segments'],
    ['spiffe://a/b?c=d', 'query'],
    ['spiffe://a/b#c', 'query nor fragment'],
    ['spiffe://a/%62', 'letters, digits'],
    [`spiffe://${'a'.repeat(256)}/b`, '255 bytes'],
    [`spiffe://a/${'b'.repeat(2048)}`, '2048 bytes'],
    ['http://a/b', 'no kind'],
    ['user:a', 'issuer/subject'],
    [`user:a/${'b'.repeat(256)}`, '255 bytes'],
    ['user:a/%ff', 'percent-encoding'],
    ['device:%00', 'control characters'],
    ['external:a..b', '1 to 63'],
    ['address:10.0.0.256', 'neither'],
    ['address:10.0.0.01', 'neither'],
    ['address:1::2::3', 'neither'],
    ['', 'no name'],
  ])('%s is refused', (text, expected) => expect(reason(text)).toContain(expected))

  test('scheme and trust domain have no case, paths have', () => {
    expect(compareIdentities(read('SPIFFE://Cluster.Local/ns/a/sa/b'), read('spiffe://cluster.local/ns/a/sa/b'))).toBe(
      0,
    )
    expect(compareIdentities(read('spiffe://a/ns/a/sa/B'), read('spiffe://a/ns/a/sa/b'))).not.toBe(0)
  })

  test('one trust domain in two clusters makes one principal of two workloads', () => {
    const seen = ['east', 'west', 'east'].map((cluster) => ({ principal: 'cluster.local/ns/a/sa/b', cluster }))
    expect(sharedPrincipals([...seen, { principal: 'c.d/ns/a/sa/b', cluster: 'east' }])).toEqual([
      { principal: 'cluster.local/ns/a/sa/b', clusters: ['east', 'west'] },
    ])
  })
})

describe('any text', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/)
  const spiffe = fc
    .tuple(fc.stringMatching(/^[A-Za-z0-9._-]{1,30}$/), fc.array(name, { minLength: 1, maxLength: 6 }))
    .map(([domain, path]) => `spiffe://${domain}/${path.join('/')}`)
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    spiffe,
    spiffe.map((id) => id.slice(9)),
    fc
      .tuple(fc.constantFrom('user', 'device', 'external', 'address', 'gateway', 'infrastructure'), fc.string())
      .map(([kind, rest]) => `${kind}:${rest}`),
    fc
      .tuple(fc.webUrl(), fc.string({ minLength: 1, maxLength: 60 }))
      .map(([issuer, subject]) => `user:${encodeURIComponent(issuer)}/${encodeURIComponent(subject)}`),
    fc.ipV6().map((address) => `address:${address}`),
    fc.ipV4().map((address) => `address:${address}`),
  )

  test('is refused with a reason, or read the same again from its canonical text', () =>
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseIdentity(text)
        if (!parsed.ok) return parsed.reason !== ''
        const printed = printIdentity(parsed.value)
        const again = parseIdentity(printed)
        return again.ok && printIdentity(again.value) === printed && compareIdentities(again.value, parsed.value) === 0
      }),
      { numRuns: 3_000, seed: 20_261_129 },
    ))

  test('every identity of the standard is taken', () =>
    fc.assert(
      fc.property(spiffe, (text) => parseIdentity(text).ok),
      { seed: 20_261_129 },
    ))

  test('a principal is its canonical text, or none', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          texts,
          spiffe.map((id) => id.slice(9)),
        ),
        (text) => {
          const principal = parsePrincipal(text)
          return (
            !principal || `${principal.trustDomain}/ns/${principal.namespace}/sa/${principal.serviceAccount}` === text
          )
        },
      ),
      { seed: 20_261_129 },
    ))
})
