import { describe, expect, it } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { generate } from '../../../policy-gen/generate.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { Inventory, Workload } from '../../../services/model/inventory.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import { engineBinary } from '../../lab/engines/setup.ts'
import { required } from '../../requirements.ts'
import { randomOperations } from '../random.ts'
import { inventoryOf, seeded, WINDOW } from '../support.ts'
import { connections, decidedBy, pickFrom, podIn, replayed } from './connections.ts'

const TIMEOUT_MS = 240_000
const program = engineBinary('clusterpol')
const NAME = 'kubernetes.io/metadata.name'

interface Rule {
  name?: string
  action: string
  from?: unknown[]
  to?: unknown[]
  protocols?: {
    tcp?: { destinationPort?: { number?: number; range?: { start: number; end: number } } }
    udp?: object
  }[]
}
interface Tier {
  apiVersion: string
  kind: string
  metadata: { name: string }
  spec: { tier?: string; priority?: number; subject: unknown; ingress?: Rule[]; egress?: Rule[] }
}

/** The evaluator knows the kinds that ClusterNetworkPolicy replaced: the same rules in their words. */
function older({ metadata, spec: { tier, priority, subject, ingress = [], egress = [] } }: Tier): Tier {
  const portOf = ({ tcp }: NonNullable<Rule['protocols']>[number]) => {
    const { number, range } = tcp?.destinationPort ?? {}
    if (range) return { portRange: { protocol: tcp ? 'TCP' : 'UDP', ...range } }
    return { portNumber: { protocol: tcp ? 'TCP' : 'UDP', port: number ?? 53 } }
  }
  const rule = ({ action, protocols, ...rest }: Rule) => ({
    ...rest,
    action: action === 'Accept' ? 'Allow' : action,
    ...(protocols ? { ports: protocols.map(portOf) } : {}),
  })
  const rules = { ingress: ingress.map(rule), egress: egress.map(rule) } as Pick<Tier['spec'], 'ingress' | 'egress'>
  const baseline = tier === 'Baseline'
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: baseline ? 'BaselineAdminNetworkPolicy' : 'AdminNetworkPolicy',
    metadata: baseline ? { name: 'default' } : metadata,
    spec: { ...(baseline ? {} : { priority: priority ?? 0 }), subject, ...rules },
  }
}

function decided(documents: readonly Tier[], calls: readonly ObservedOperation[], inventory: Inventory): boolean[] {
  const podOf = podIn(inventory)
  const of = (kind: string) => documents.filter((one) => one.kind === kind)
  const connections = calls.map(({ source, destination, workloadPort }) => ({
    ...{ from: podOf(source), to: podOf(destination), port: workloadPort },
  }))
  return decidedBy(program, {
    policies: of('NetworkPolicy'),
    admin: of('AdminNetworkPolicy'),
    baseline: of('BaselineAdminNetworkPolicy'),
    connections,
  })
}

function randomSelectors(random: () => number) {
  const pick = pickFrom(random)
  const pods = () =>
    pick([
      {},
      { matchLabels: { app: pick(['web', 'orders', 'stock', 'users']) } },
      { matchExpressions: [{ key: 'app', operator: pick(['In', 'NotIn']), values: ['web', 'orders', 'job'] }] },
      { matchExpressions: [{ key: 'tier', operator: pick(['Exists', 'DoesNotExist']) }] },
    ])
  const namespaces = () =>
    pick([
      {},
      { matchLabels: { [NAME]: pick(['shop', 'bank', 'store']) } },
      { matchExpressions: [{ key: NAME, operator: pick(['In', 'NotIn']), values: ['bank', 'store'] }] },
    ])
  const peer = () =>
    pick([{ namespaces: namespaces() }, { pods: { namespaceSelector: namespaces(), podSelector: pods() } }])
  return { pick, pods, namespaces, peer }
}

function randomTier(random: () => number, at: number, tier: 'Admin' | 'Baseline'): Tier {
  const { pick, peer } = randomSelectors(random)
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: pick([0, 1, 1, 2, most]) }, make)
  const protocol = () =>
    pick([
      { tcp: { destinationPort: { number: 8080 } } },
      { tcp: { destinationPort: { number: 9090 } } },
      { tcp: { destinationPort: { range: { start: 8000, end: 9000 } } } },
      { udp: { destinationPort: { number: 53 } } },
    ])
  const actions = tier === 'Admin' ? ['Accept', 'Deny', 'Pass'] : ['Accept', 'Deny']
  const rule = (direction: 'from' | 'to'): Rule => {
    const protocols = some(2, protocol)
    const peers = Array.from({ length: pick([1, 1, 2]) }, peer)
    return { action: pick(actions), [direction]: peers, ...(protocols.length > 0 ? { protocols } : {}) }
  }
  return {
    apiVersion: `policy.networking.k8s.io/${pick(['v1alpha2', 'v1beta1'])}`,
    kind: 'ClusterNetworkPolicy',
    metadata: { name: `${tier.toLowerCase()}-${at}` },
    // The evaluator sorts by it; one of its own each.
    spec: {
      tier,
      priority: 900 - at * 7,
      subject: peer(),
      ingress: some(3, () => rule('from')),
      egress: some(3, () => rule('to')),
    },
  }
}

/** Both directions are said: the evaluator takes a pod that one selects for any for out of the Baseline tier. */
function randomNetworkPolicy(random: () => number, at: number): Tier {
  const { pick, pods, namespaces } = randomSelectors(random)
  const peer = () => pick([{ podSelector: pods() }, { namespaceSelector: namespaces(), podSelector: pods() }])
  const rules = (direction: string) =>
    pick([[], [{}], [{ [direction]: [peer()], ports: [{ protocol: 'TCP', port: 8080 }] }]])
  const [ingress, egress] = [rules('from'), rules('to')]
  // The API server keeps no empty list; the evaluator would take one for "everything".
  const spec = {
    podSelector: pods(),
    policyTypes: ['Ingress', 'Egress'],
    ...(ingress.length > 0 ? { ingress } : {}),
    ...(egress.length > 0 ? { egress } : {}),
  }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `p${at}`, namespace: pick(['shop', 'store', 'bank']) } as Tier['metadata'],
    spec: spec as unknown as Tier['spec'],
  }
}

describe.skipIf(!program && !required('CINCH_REQUIRE_ENGINES'))(
  'a cluster’s own policies',
  { timeout: TIMEOUT_MS },
  () => {
    it.each([1, 2, 3])(
      'that are rendered keep out what was not seen, as kube-network-policies decides; batch %i',
      (seed) => {
        const operations = randomOperations(seed, 40)
        const inventory = inventoryOf(operations)
        const { files } = generate(operations, inventory, targetById('kubernetes'), { window: WINDOW })
        const yaml = files.filter(({ path }) => path.endsWith('.yaml')).map(({ content }) => content)
        const guards = files.filter(({ path }) => path.includes('3-guard/')).map(({ content }) => content)
        expect(guards.length).toBeGreaterThan(0)
        const calls = connections(operations, seeded(seed), 1_000)
        for (const set of [yaml, guards]) {
          const documents = set.flatMap((one) => parseAllDocuments(one).map((each) => each.toJS() as Tier))
          const engine = documents.map((one) => (one.kind === 'ClusterNetworkPolicy' ? older(one) : one))
          const said = decided(engine, calls, inventory)
          expect(replayed(set.join('---\n'), calls, inventory)).toEqual(said)
          expect(said.filter((allowed) => allowed).length).toBeGreaterThan(50)
          expect(said.filter((allowed) => !allowed).length).toBeGreaterThan(50)
        }
      },
    )

    it('that people write, in old words and new, are decided by replay as by kube-network-policies', () => {
      const random = seeded(17)
      const operations = randomOperations(3, 60)
      const known = inventoryOf(operations)
      const tiers = (one: Workload, at: number) => ({
        ...one,
        labels: { ...one.labels, ...(at % 2 ? { tier: 'front' } : {}) },
      })
      const inventory = { ...known, workloads: known.workloads.map(tiers) }
      let denied = 0
      for (let batch = 0; batch < 100; batch++) {
        const admin = Array.from({ length: batch % 4 }, (_, at) => randomTier(random, at, 'Admin'))
        const baseline = batch % 3 === 0 ? [] : [randomTier(random, 0, 'Baseline')]
        const network = Array.from({ length: batch % 3 }, (_, at) => randomNetworkPolicy(random, at))
        const [now, before] = [[...admin, ...baseline], [...admin, ...baseline].map(older)]
        const calls = connections(operations, random, 100)
        const said = decided([...before, ...network], calls, inventory)
        for (const words of [now, before]) {
          const yaml = [...words, ...network]
            .map((one) => stringify(one, { aliasDuplicateObjects: false }))
            .join('---\n')
          const wrong = replayed(yaml, calls, inventory).flatMap((one, at) =>
            one === said[at] ? [] : [[one, said[at], calls[at]]],
          )
          expect(wrong.slice(0, 2), yaml).toEqual([])
        }
        denied += said.filter((allowed) => !allowed).length
      }
      expect(denied).toBeGreaterThan(1_500)
      expect(denied).toBeLessThan(8_500)
    })
  },
)
