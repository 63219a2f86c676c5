import type { Party } from '../../../services/model/operation.ts'
import { isExternal } from '../external.ts'
import { type KnownLabels, sameName } from '../selection.ts'
import { all, every, fromBoolean, some, type Tri } from '../tri.ts'
import type { NetworkPeer, NetworkPort } from './read-policy.ts'

/** A pod as far as it is known, on either end of a connection. */
export interface Pod {
  party: Party
  labels: KnownLabels
}

/** A connection as the policies of one end see it. */
export interface Connection {
  peer: Pod
  port: number
  /** Whether it is TCP: all that Cinch sees is, but a reporter that tells no protocol may mean anything. */
  tcp: Tri
}

/** Where a policy stands: its own namespace, null for the cluster's, and the only cluster that it is applied in. */
export interface Place {
  namespace: string | null
  cluster: string | undefined
}

/** Whether any of the peers at any of the ports is the connection's; null is everything. */
export function matches(
  { peers, ports }: { peers: NetworkPeer[] | null; ports: NetworkPort[] | null },
  place: Place,
  connection: Connection,
): Tri {
  const parts = [
    () => (ports === null ? 'yes' : some(ports, (port) => atPort(port, connection))),
    () => (peers === null ? 'yes' : some(peers, (peer) => ofPeer(peer, place, connection.peer))),
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

type WithoutText<Peer> = Peer extends unknown ? Omit<Peer, 'text'> : never

/** Whether a pod is among a peer's, or a policy's subject. */
export function ofPeer(peer: WithoutText<NetworkPeer>, { namespace, cluster }: Place, { party, labels }: Pod): Tri {
  if (peer.is === 'address') return 'unknown'
  if (isExternal(party)) return 'no'
  const within = namespace === null ? 'yes' : sameName(namespace, party.namespace)
  return all(
    cluster === undefined ? 'yes' : sameName(cluster, party.cluster),
    peer.namespaces ? peer.namespaces(namespaceLabels(party)) : within,
    peer.pods ? peer.pods(labels) : party.namespace === '' ? 'unknown' : 'yes',
  )
}

// Of a namespace's labels, one is always there and cannot be changed: its name.
function namespaceLabels({ namespace }: Party): KnownLabels {
  return { labels: namespace === '' ? {} : { 'kubernetes.io/metadata.name': namespace }, complete: false }
}
