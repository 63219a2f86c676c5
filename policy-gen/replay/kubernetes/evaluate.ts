import type { ObservedOperation, Party } from '../../../services/model/operation.ts'
import type { LayerContext, Verdict } from '../layer.ts'
import { type KnownLabels, labelsOf, sameName } from '../selection.ts'
import { all, every, fromBoolean, some, type Tri } from '../tri.ts'
import type { NetworkPolicy } from './documents.ts'
import type { NetworkPeer, NetworkPort, NetworkRule } from './read-policy.ts'

/** A pod as far as it is known, on either end of a connection. */
interface Pod {
  party: Party
  labels: KnownLabels
}

interface Connection {
  peer: Pod
  port: number
  /** Whether it is TCP: all that Cinch sees is, but a reporter that tells no protocol may mean anything. */
  tcp: Tri
}

/** Both directions must let a connection pass: what the caller's pods may reach, and who may reach the callee's. */
export function evaluate(
  policies: readonly NetworkPolicy[],
  { source, destination, protocol }: ObservedOperation,
  port: number,
  { index, selectorRule }: LayerContext,
): Verdict {
  const podOf = (party: Party): Pod => ({ party, labels: labelsOf(party, index, selectorRule) })
  const [from, to] = [podOf(source), podOf(destination)]
  const tcp = protocol === 'unknown' ? 'unknown' : 'yes'
  const verdicts = [
    inDirection('ingress', policies, to, { peer: from, port, tcp }),
    inDirection('egress', policies, from, { peer: to, port, tcp }),
  ]
  const allowed = all(...verdicts.map((verdict) => verdict.allowed))
  return verdicts.find((verdict) => verdict.allowed === allowed) ?? UNSELECTED
}

const UNSELECTED: Verdict = { allowed: 'yes', reason: 'no NetworkPolicy selects the pods' }

function inDirection(
  direction: 'ingress' | 'egress',
  policies: readonly NetworkPolicy[],
  pod: Pod,
  connection: Connection,
): Verdict {
  let isolated: Tri = 'no'
  let allowed: Tri = 'no'
  const names: string[] = []
  for (const policy of policies) {
    const rules = policy[direction]
    const applies = rules === null ? 'no' : selects(policy, pod)
    if (rules === null || applies === 'no') continue
    names.push(`${policy.namespace}/${policy.name}`)
    if (isolated !== 'yes') isolated = applies
    const matched = all(
      applies,
      some(rules, (rule) => matches(rule, policy, connection)),
    )
    if (matched === 'yes') return { allowed: 'yes', reason: `allowed by NetworkPolicy ${names.at(-1)}` }
    if (matched === 'unknown') allowed = 'unknown'
  }
  if (isolated === 'no') return UNSELECTED
  const listed = `NetworkPolicy ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
  if (isolated === 'yes' && allowed === 'no') return { allowed: 'no', reason: `no rule of ${listed} matches` }
  return { allowed: 'unknown', reason: `not known: labels, addresses or the port that ${listed} asks for` }
}

function selects({ cluster, namespace, pods }: NetworkPolicy, { party, labels }: Pod): Tri {
  return all(
    cluster === undefined ? 'yes' : sameName(cluster, party.cluster),
    sameName(namespace, party.namespace),
    pods(labels),
  )
}

function matches({ peers, ports }: NetworkRule, policy: NetworkPolicy, connection: Connection): Tri {
  const parts = [
    () => (ports === null ? 'yes' : some(ports, (port) => atPort(port, connection))),
    () => (peers === null ? 'yes' : some(peers, (peer) => ofPeer(peer, policy, connection.peer))),
  ]
  return every(parts, (part): Tri => part())
}

function atPort({ protocol, port, endPort }: NetworkPort, connection: Connection): Tri {
  if (protocol !== 'TCP') return connection.tcp === 'yes' ? 'no' : 'unknown'
  return all(connection.tcp, atNumber(port, endPort, connection.port))
}

// A name is one of the pod's containers' ports, which the inventory does not have.
function atNumber(port: NetworkPort['port'], endPort: number, observed: number): Tri {
  if (port === null) return 'yes'
  if (typeof port === 'string' || observed === 0) return 'unknown'
  return fromBoolean(observed >= port && observed <= Math.max(port, endPort))
}

// Of a namespace's labels, one is always there and cannot be changed: its name.
function ofPeer(peer: NetworkPeer, policy: NetworkPolicy, { party, labels }: Pod): Tri {
  if (peer.is === 'address') return 'unknown'
  const named = { labels: { 'kubernetes.io/metadata.name': party.namespace }, complete: false }
  const known = party.namespace === '' ? { labels: {}, complete: false } : named
  return all(
    policy.cluster === undefined ? 'yes' : sameName(policy.cluster, party.cluster),
    peer.namespaces ? peer.namespaces(known) : sameName(policy.namespace, party.namespace),
    peer.pods ? peer.pods(labels) : party.namespace === '' ? 'unknown' : 'yes',
  )
}
