import type { Callee, Permission } from '../../../services/model/permission.ts'
import { evidenceLines, type Window } from '../../grants/comments.ts'
import { fileNames, kubernetesName } from '../../grants/names.ts'
import { type Grant, rulesOf } from '../../grants/rules.ts'
import { yamlOf } from '../../grants/yaml.ts'
import type { Loss, PolicyFile, Rendered } from '../target.ts'
import { casesOf } from './cases.ts'
import { namespaceGuard } from './guard.ts'
import { NETWORK_TIER_FILE, networkTier } from './network-tier.ts'
import { type Opening, openingsOf, type PeerPods } from './peers.ts'

/** Where a default deny would cut off the cluster's own services, DNS among them, of whose callers not all are observed. */
const SYSTEM_NAMESPACE = /^(kube-|istio-system$)/

/**
 * One NetworkPolicy for each callee that lets in what was observed, then a default deny for each namespace, and what none
 * of its own policies may open later. Beside them the lines of the network tier, for people and other firewalls.
 */
export function render(permissions: readonly Permission[], window: Window): Rendered {
  const loss: Loss[] = []
  const groups = byCallee(permissions)
  const clusters = new Set([...groups.keys()].map(({ cluster }) => cluster))
  const names = fileNames([...groups.keys()])
  const files = new Map<string, PolicyFile>()
  const openings = new Map<Callee, Opening[]>()
  for (const [callee, group] of groups) {
    const found = openingsOf(group, loss)
    openings.set(callee, found)
    const directory = clusters.size > 1 ? `${kubernetesName(callee.cluster)}/` : ''
    const clustered = clusters.size > 1 || callee.cluster !== ''
    const { file, workload } = names.get(callee) ?? { file: '', workload: '' }
    const grants = new Map(found.map(({ permission }) => [permission.caller.principal, []]))
    const comment = evidenceLines({ callee, permissions: group, grants }, window)
    const add = (path: string, document: unknown, head: string[]) =>
      files.set(path, { path, content: yamlOf([document], head) })
    add(`${directory}1-allow/${file}.yaml`, allowPolicy(callee, `cinch-allow-${workload}`, found, clustered), comment)
    if (SYSTEM_NAMESPACE.test(callee.namespace)) continue
    add(`${directory}2-default-deny/${callee.namespace}.yaml`, defaultDeny(callee, clustered), [])
  }
  for (const group of Map.groupBy([...openings], ([callee]) => placeOf(callee)).values()) {
    const [first] = group[0] ?? []
    if (!first || SYSTEM_NAMESPACE.test(first.namespace)) continue
    const directory = clusters.size > 1 ? `${kubernetesName(first.cluster)}/` : ''
    const list = group.flatMap(([, found]) => found)
    const guard = namespaceGuard(first, list, clusters.size > 1 || first.cluster !== '')
    const path = `${directory}3-guard/${first.namespace}.yaml`
    files.set(path, { path, content: yamlOf([guard], []) })
  }
  files.set(NETWORK_TIER_FILE, { path: NETWORK_TIER_FILE, content: networkTier(openings, window) })
  const sorted = [...files.values()].sort((left, right) => (left.path < right.path ? -1 : 1))
  return { files: sorted, loss, cases: casesOf(openings) }
}

function placeOf({ cluster, namespace }: Callee): string {
  return JSON.stringify([cluster, namespace])
}

function byCallee(permissions: readonly Permission[]): Map<Callee, Permission[]> {
  const groups = Map.groupBy(permissions, ({ callee }) =>
    JSON.stringify([callee.cluster, callee.namespace, callee.workload, callee.selector]),
  )
  return new Map([...groups.values()].flatMap((group) => (group[0] ? [[group[0].callee, group]] : [])))
}

function allowPolicy(callee: Callee, name: string, openings: readonly Opening[], clustered: boolean) {
  const spec = { podSelector: { matchLabels: callee.selector }, policyTypes: ['Ingress'], ingress: ingressOf(openings) }
  return policy(name, callee, clustered, spec)
}

function defaultDeny(callee: Callee, clustered: boolean) {
  return policy('cinch-default-deny', callee, clustered, { podSelector: {}, policyTypes: ['Ingress'] })
}

function policy(name: string, { namespace, cluster }: Callee, clustered: boolean, spec: unknown) {
  const annotations = clustered ? { annotations: { 'cinch.cluster': cluster } } : {}
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace, ...annotations },
    spec,
  }
}

/** Pods share a rule only when they reach the same ports. */
function ingressOf(openings: readonly Opening[]): unknown[] {
  const byPeer = Map.groupBy(openings, ({ peer }) => JSON.stringify([peer.namespace, peer.selector]))
  const grants = new Map(
    [...byPeer].map(([key, list]) => [
      key,
      list.map(({ port }): Grant => ({ port, method: '', path: '', not: [], when: [] })),
    ]),
  )
  return rulesOf(grants).map(({ principals, to }) => {
    const from = principals.map((key) => peerOf(byPeer.get(key)?.[0]?.peer))
    const ports = to.flatMap((product) => product.ports).map((port) => ({ protocol: 'TCP', port }))
    return ports.length > 0 ? { from, ports } : { from }
  })
}

function peerOf(peer: PeerPods | undefined) {
  const { namespace = '', selector = null } = peer ?? {}
  const named = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }
  return selector === null ? named : { ...named, podSelector: { matchLabels: selector } }
}
