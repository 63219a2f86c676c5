import { describe, expect, it } from 'vitest'
import { egressOf } from '../../policy-gen/egress.ts'
import { indexInventory } from '../../policy-gen/inventory-index.ts'
import { propose } from '../../policy-gen/propose.ts'
import { replicasOf } from '../../policy-gen/replicas.ts'
import { readObjects } from '../../services/collector/sources/kubernetes-objects/read.ts'
import { EMPTY_INVENTORY, type Pod } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { inventoryOf, operation } from './support.ts'

/** Marks of the bits. */
const bits = (...set: number[]) => set.reduce((all, bit) => all | (1n << BigInt(bit)), 0n).toString(16)
const by = (short: Parameters<typeof operation>[0], ...replicas: number[]): ObservedOperation => ({
  ...operation(short),
  ...(replicas.length > 0 ? { replicas: bits(...replicas) } : {}),
})
const pod = (name: string, image: string, marks: string, more: Partial<Pod> = {}): Pod => ({
  ...{ cluster: '', namespace: 'shop', workload: 'web', pod: name, image, marks },
  ...{ since: '2026-01-01T00:00:00.000000Z', until: '2026-01-14T12:00:00.000000Z' },
  ...more,
})
const evidence = (operations: ObservedOperation[], pods: Pod[] = []) =>
  propose(operations, { ...inventoryOf(operations), pods }, {}).permissions.map(({ evidence: one }) => one.replicas)

describe('replicas of a caller', () => {
  it('are those of all that is granted as one; of others it is told how many there are', () => {
    const operations = [by({ path: '/a' }, 1, 2), by({ path: '/a', mtls: 'unknown' }, 2, 255), by({ path: '/b' })]
    expect(evidence(operations)).toEqual([
      { distinct: 3, of: 3, images: [] },
      { distinct: 0, of: 3, images: [] },
    ])
    expect(evidence([by({ path: '/a' })])).toEqual([undefined])
  })

  it('who only has a name in common with nobody is nobody’s replica', () => {
    const nameless = { from: '/', principal: '', evidence: 'address' } as const
    const operations = [by(nameless, 1), by({ ...nameless, path: '/b' }, 2)]
    const replicas = replicasOf(operations, EMPTY_INVENTORY, indexInventory(EMPTY_INVENTORY))
    const times = { firstSeen: '2026-01-02T00:00:00Z', lastSeen: '2026-01-03T00:00:00Z' }
    expect(replicas({ principal: '', workloads: [], marks: '', ...times })).toBeUndefined()
  })

  it('that are declared are those that were there meanwhile; where one is not declared, others may not be', () => {
    const mine = [by({ path: '/a' }, 1)]
    const gone = pod('web-0', 'old', bits(9), { until: '2026-01-01T12:00:00.000000Z' })
    const others = [pod('web-2', 'new', bits(2)), pod('api-0', 'new', bits(3), { workload: 'api' }), gone]
    expect(evidence(mine, [pod('web-1', 'new', bits(1)), ...others])).toEqual([{ distinct: 1, of: 2, images: ['new'] }])
    expect(evidence([...mine, by({ path: '/b' }, 1, 7, 8)], others)[0]).toEqual({ distinct: 1, of: 4, images: [] })
  })

  it('whose bit Pods of several images share tell of none of these, nor does one that says nothing', () => {
    const mine = [by({ path: '/a' }, 1, 2)]
    const images = (...pods: Pod[]) => evidence(mine, pods)[0]?.images
    expect(images(pod('w1', 'a', bits(1)), pod('w2', 'b', bits(1)), pod('w3', 'c', bits(2)))).toEqual(['c'])
    expect(images(pod('w1', 'a', bits(1)), pod('w2', 'b', bits(1, 2)))).toEqual(['b'])
    expect(images(pod('w1', 'a', bits(1)), pod('w2', '', bits(1, 2)))).toEqual([])
    expect(images(pod('w1', 'a', bits(1)), pod('w2', 'a', bits(1, 2)))).toEqual(['a'])
  })

  it('one of several opens no host outside either', () => {
    const outward = (host: string, ...replicas: number[]) => ({
      ...by({ to: `/${host}` }, ...replicas),
      destination: { ...operation({}).destination, ...{ id: `external:${host}`, namespace: '', workload: '' } },
      servicePort: 443,
    })
    const seen = [outward('shop.example', 1, 2, 3), outward('collect.example', 2)]
    const replicas = replicasOf(seen, EMPTY_INVENTORY, indexInventory(EMPTY_INVENTORY))
    const [all] = egressOf(seen, {}, replicas)
    const [alone] = egressOf(seen, { minimumReplicas: 2 }, replicas)
    expect(all?.uses.map(({ host }) => host)).toEqual(['collect.example', 'shop.example'])
    expect(alone?.uses.map(({ host }) => host)).toEqual(['shop.example'])
    expect(alone?.refused).toMatchObject([
      { use: { host: 'collect.example' }, reason: 'it was seen from 1 of 2 replicas' },
    ])
  })

  it.each([0, 1.5, 33, Number.NaN])('%s is no number of replicas', (minimumReplicas) =>
    expect(() => propose([operation({})], EMPTY_INVENTORY, { minimumReplicas })).toThrow(/whole number from 1 to 32/),
  )
})

describe('images of a Pod', () => {
  const digest = (digit: string) => `sha256:${digit.repeat(64)}`
  const imageOf = (...containerStatuses: unknown[]) =>
    readObjects(
      [
        {
          ...{ kind: 'Pod', metadata: { name: 'a', namespace: 'shop' } },
          status: { podIP: '10.0.0.1', startTime: '2026-01-01T00:00:00Z', containerStatuses },
        },
      ],
      '',
    ).addresses[0]?.image
  it.each([
    [[{ name: 'a', imageID: `docker-pullable://r.example/a@${digest('1')}` }], digest('1')],
    [
      [
        { name: 'a', imageID: digest('1') },
        { name: 'istio-proxy', imageID: digest('2') },
      ],
      digest('1'),
    ],
    [
      [
        { name: 'a', imageID: digest('2') },
        { name: 'b', imageID: digest('1') },
        { name: 'c', imageID: digest('1') },
      ],
      `${digest('1')},${digest('2')}`,
    ],
    // A name, a tag, another length: nothing that tells what runs.
    [
      [
        { name: 'a', imageID: digest('1') },
        { name: 'b', imageID: 'r.example/b:latest' },
      ],
      '',
    ],
    [[{ name: 'a', imageID: `${digest('1')}0` }], ''],
    [[{ name: 'a', imageID: { x: 1 } }, 'x', null], ''],
    [[], ''],
  ])('%j', (statuses, image) => expect(imageOf(...statuses)).toBe(image))
})
