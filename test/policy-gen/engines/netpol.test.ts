import { describe, expect, it } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { generate } from '../../../policy-gen/generate.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { Inventory, Workload } from '../../../services/model/inventory.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import type { CallerWorkload } from '../../../services/model/permission.ts'
import { engineBinary } from '../../lab/engines/setup.ts'
import { required } from '../../requirements.ts'
import { randomOperations } from '../random.ts'
import { inventoryOf, operation, seeded, WINDOW } from '../support.ts'
import { hostileText } from './attempts.ts'
import { connections, decidedBy, pickFrom, podIn, replayed } from './connections.ts'

const TIMEOUT_MS = 240_000
const program = engineBinary('netpol')
const kubernetes = targetById('kubernetes')

/** Cyclonus' decision on each connection. */
function decided(policies: unknown[], calls: readonly ObservedOperation[], inventory: Inventory): boolean[] {
  const podOf = podIn(inventory)
  const named = (party: Parameters<typeof podOf>[0]) => ({
    ...podOf(party),
    namespaceLabels: { 'kubernetes.io/metadata.name': party.namespace },
  })
  const connections = calls.map(({ source, destination, workloadPort }) => ({
    ...{ from: named(source), to: named(destination) },
    ...{ port: workloadPort, portName: '', protocol: 'TCP' },
  }))
  return decidedBy(program, { policies, connections })
}

const EXPRESSIONS = [
  { key: 'app', operator: 'In', values: ['web', 'orders', 'job'] },
  { key: 'app', operator: 'NotIn', values: ['web', 'stock'] },
  { key: 'app', operator: 'Exists' },
  { key: 'tier', operator: 'DoesNotExist' },
  // NotIn of a key that a pod lacks is left out: Kubernetes takes it for a match (apimachinery's Requirement.Matches), Cyclonus does not.
  { key: 'tier', operator: 'Exists' },
]

interface RandomPolicy {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string }
  spec: { policyTypes?: string[]; ingress?: unknown[]; egress?: unknown[]; podSelector: unknown }
}

/** A NetworkPolicy as people write them, of every kind that replay can decide. */
function randomPolicy(random: () => number, at: number): RandomPolicy {
  const pick = pickFrom(random)
  const some = <T>(make: () => T): T[] => Array.from({ length: pick([0, 1, 1, 2]) }, make)
  const pods = () =>
    pick([
      {},
      { matchLabels: { app: pick(['web', 'orders', 'stock', 'users', 'admin']) } },
      { matchExpressions: [pick(EXPRESSIONS)] },
    ])
  const name = 'kubernetes.io/metadata.name'
  const namespaces = () =>
    pick([
      {},
      { matchLabels: { [name]: pick(['shop', 'bank']) } },
      { matchExpressions: [{ key: name, operator: 'NotIn', values: ['bank'] }] },
    ])
  const peer = () =>
    pick([
      { podSelector: pods() },
      { namespaceSelector: namespaces() },
      { namespaceSelector: namespaces(), podSelector: pods() },
    ])
  const port = () =>
    pick([
      { port: 8080 },
      { protocol: 'TCP', port: 8000, endPort: 9000 },
      { protocol: 'UDP', port: 8080 },
      { protocol: 'TCP' },
      { port: 9090 },
    ])
  const rule = (direction: string) => {
    const [peers, ports] = [some(peer), some(port)]
    return { ...(peers.length > 0 ? { [direction]: peers } : {}), ...(ports.length > 0 ? { ports } : {}) }
  }
  const [ingress, egress] = [some(() => rule('from')), some(() => rule('to'))]
  const spec: RandomPolicy['spec'] = {
    podSelector: pods(),
    ...pick([{}, { policyTypes: ['Ingress'] }, { policyTypes: ['Egress'] }, { policyTypes: ['Ingress', 'Egress'] }]),
    ...(ingress.length > 0 ? { ingress } : {}),
    ...(egress.length > 0 ? { egress } : {}),
  }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `p${at}`, namespace: pick(['shop', 'store', 'bank']) },
    spec,
  }
}

/** What the API server writes into a policy that names no types. */
function withDefaults(policy: RandomPolicy): RandomPolicy {
  const { spec } = policy
  const policyTypes = spec.policyTypes ?? ['Ingress', ...(spec.egress ? ['Egress'] : [])]
  return { ...policy, spec: { ...spec, policyTypes } }
}

describe.skipIf(!program && !required('CINCH_REQUIRE_ENGINES'))('NetworkPolicies', { timeout: TIMEOUT_MS }, () => {
  it.each([1, 2, 3, 4, 5])(
    'that are rendered let in whom was seen at the port, as Cyclonus and replay decide; batch %i',
    (seed) => {
      const operations = randomOperations(seed, 40)
      const inventory = inventoryOf(operations)
      const { files } = generate(operations, inventory, kubernetes, { window: WINDOW })
      const yaml = files
        .filter(({ path }) => path.endsWith('.yaml'))
        .map(({ content }) => content)
        .join('---\n')
      const calls = connections(operations, seeded(seed), 2_100)
      const keyOf = ({ source, destination, workloadPort }: ObservedOperation) =>
        `${source.namespace}/${source.workload} ${destination.id} ${workloadPort}`
      const seen = new Set(operations.map(keyOf))
      // The namespaces of the callers are not closed, and only where a callee was seen there is a default deny.
      const closed = new Set(operations.map(({ destination }) => destination.namespace))
      const expected = calls.map((call) => seen.has(keyOf(call)) || !closed.has(call.destination.namespace))
      expect(
        decided(
          parseAllDocuments(yaml)
            .map((one) => one.toJS())
            .filter(({ kind }) => kind === 'NetworkPolicy'),
          calls,
          inventory,
        ),
      ).toEqual(expected)
      expect(replayed(yaml, calls, inventory)).toEqual(expected)
      expect(expected.filter((allowed) => allowed).length).toBeGreaterThan(300)
      expect(expected.filter((allowed) => !allowed).length).toBeGreaterThan(300)
    },
  )

  it('that people write are decided by replay as by Cyclonus', () => {
    const random = seeded(11)
    const operations = randomOperations(3, 60)
    const known = inventoryOf(operations)
    const tiers = (one: Workload, at: number) => ({
      ...one,
      labels: { ...one.labels, ...(at % 2 ? { tier: 'front' } : {}) },
    })
    const inventory = { ...known, workloads: known.workloads.map(tiers) }
    let denied = 0
    for (let batch = 0; batch < 100; batch++) {
      const policies = Array.from({ length: 1 + (batch % 5) }, (_, at) => randomPolicy(random, at))
      const yaml = policies.map((policy) => stringify(policy, { aliasDuplicateObjects: false })).join('---\n')
      const calls = connections(operations, random, 150)
      const said = decided(policies.map(withDefaults), calls, inventory)
      expect(replayed(yaml, calls, inventory), yaml).toEqual(said)
      denied += said.filter((allowed) => !allowed).length
    }
    expect(denied).toBeGreaterThan(3_000)
    expect(denied).toBeLessThan(12_000)
  })
})

function peerOf({ selector }: CallerWorkload): string {
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } }
  return JSON.stringify({ namespaceSelector, ...(selector ? { podSelector: { matchLabels: selector } } : {}) })
}

describe('hostile names', () => {
  it('stand in NetworkPolicies as they are', () => {
    const random = seeded(5)
    for (let batch = 0; batch < 60; batch++) {
      const operations = Array.from({ length: 6 }, () => {
        const one = operation({})
        one.destination.workload = hostileText(random)
        one.destination.cluster = 'east'
        one.source.workload = hostileText(random)
        one.source.cluster = 'east'
        return one
      })
      const about = { kind: 'Deployment', serviceAccount: '', owner: '', cluster: 'east', namespace: 'shop' }
      const workloads = operations.flatMap(({ source, destination }, at) => [
        {
          ...about,
          name: destination.workload,
          labels: { app: ['true', 'on', '1_0', 'null', '0o7', '1e3'][at] ?? '', at: `to-${at}` },
        },
        { ...about, name: source.workload, labels: { 'a.b/c': '0x1f', at: `from-${at}` } },
      ])
      const { files, report } = generate(operations, { services: [], workloads }, kubernetes, { window: WINDOW })
      const written = files
        .filter(({ path }) => path.includes('1-allow/'))
        .flatMap(({ content }) => parseAllDocuments(content, { version: '1.1' }).map((one) => one.toJS().spec))
      const expected = [...Map.groupBy(report.permissions, ({ callee }) => callee).values()].map((list) => ({
        podSelector: { matchLabels: list[0]?.callee.selector },
        policyTypes: ['Ingress'],
        ingress: [
          {
            from: [...new Set(list.flatMap(({ caller }) => caller.workloads.map(peerOf)))].map((text) =>
              JSON.parse(text),
            ),
            ports: [{ protocol: 'TCP', port: 8080 }],
          },
        ],
      }))
      const sorted = (list: unknown[]) => list.map((one) => JSON.stringify(one)).sort()
      expect(sorted(written)).toEqual(sorted(expected))
    }
  })
})
