import type { DeployedRule } from '../../../services/model/diff.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import type { DeployedRules } from '../deployed.ts'
import type { LayerContext } from '../layer.ts'
import { labelsOf } from '../selection.ts'
import { all } from '../tri.ts'
import { matches, ofPeer, type Pod } from './connection.ts'
import type { NetworkPolicy } from './documents.ts'
import type { NetworkPeer, NetworkPort, NetworkRule } from './read-policy.ts'

interface Part {
  policy: NetworkPolicy
  rule: NetworkRule
  deployed: DeployedRule
}

const DIRECTIONS = ['ingress', 'egress'] as const

/**
 * Takes NetworkPolicies apart: each pair of a peer and a port alone. What a cluster's own policies accept is not among
 * them: there, order decides.
 */
export function deployedRules(
  policies: readonly NetworkPolicy[],
  { index, selectorRule }: LayerContext,
): DeployedRules {
  const parts = { ingress: partsOf(policies, 'ingress'), egress: partsOf(policies, 'egress') }
  const podOf = (party: Pod['party']): Pod => ({ party, labels: labelsOf(party, index, selectorRule) })
  return {
    rules: DIRECTIONS.flatMap((direction) => parts[direction].map(({ deployed }) => deployed)),
    says: ['source', 'port'],
    usedBy({ source, destination, protocol }: ObservedOperation, { port }) {
      const [from, to] = [podOf(source), podOf(destination)]
      const tcp = protocol === 'unknown' ? ('unknown' as const) : ('yes' as const)
      const used = (list: readonly Part[], pod: Pod, peer: Pod) =>
        list.filter(({ policy, rule }) => {
          const selected = ofPeer({ is: 'pods', namespaces: null, pods: policy.pods }, policy, pod)
          return selected !== 'no' && all(selected, matches(rule, policy, { peer, port, tcp })) !== 'no'
        })
      return [...used(parts.ingress, to, from), ...used(parts.egress, from, to)].map(({ deployed }) => deployed)
    },
  }
}

function partsOf(policies: readonly NetworkPolicy[], direction: 'ingress' | 'egress'): Part[] {
  return policies.flatMap((policy) =>
    (policy[direction] ?? []).flatMap(({ peers, ports }, at) =>
      (peers ?? [null]).flatMap((peer) =>
        (ports ?? [null]).map((port): Part => {
          const rule = { peers: peer && [peer], ports: port && [port] }
          return { policy, rule, deployed: describe(policy, direction, at, peer, port) }
        }),
      ),
    ),
  )
}

function describe(
  { file, cluster, namespace, name, selects }: NetworkPolicy,
  direction: 'ingress' | 'egress',
  at: number,
  peer: NetworkPeer | null,
  port: NetworkPort | null,
): DeployedRule {
  const within = cluster === undefined ? namespace : `${cluster}/${namespace}`
  const plain = port?.protocol === 'TCP' && typeof port.port === 'number' && port.endPort === 0
  return {
    file,
    rule: `${namespace}/${name} ${direction}[${at}]`,
    scope: `${within} ${selects} ${direction}`,
    source: peer ? `${direction === 'egress' ? 'to ' : ''}${peer.text}` : '',
    port: plain ? Number(port.port) : 0,
    method: '',
    path: '',
    conditions: port && !plain ? [portText(port)] : [],
  }
}

function portText({ protocol, port, endPort }: NetworkPort): string {
  return `port: ${protocol} ${port ?? 'any'}${endPort > 0 ? ` to ${endPort}` : ''}`
}
