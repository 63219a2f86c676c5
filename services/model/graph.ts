import type { Evidence } from './evidence.ts'

/** The graph of requests made in a window, as `cinch graph --json` and `GET /api/v1/graph` give it. Times are ISO 8601, UTC. */
export interface Graph {
  window: { since: string; until: string }
  nodes: GraphNode[]
  edges: GraphEdge[]
  /** Requests whose caller nobody named and no address tells, by the reason. */
  unattributed: Unattributed[]
  /** Where that was asked for: whose calls are left out as noise, and why. */
  hidden?: NoisyCaller[]
}

/** A caller whose requests to a callee say nothing of what an application needs. */
export interface NoisyCaller {
  source: string
  destination: string
  kind: 'probe' | 'scraper' | 'monitor'
  requests: number
  /** The evidence. */
  why: string
}

export type NodeKind = 'workload' | 'service' | 'external' | 'address' | 'group'

export interface GraphNode {
  id: string
  kind: NodeKind
  name: string
  namespace: string
  workload: string
  cluster: string
  principal: string
  /** Of a group: how many nodes stand behind it. */
  members?: number
}

export interface GraphEdge {
  source: string
  destination: string
  service_port: number
  workload_port: number
  protocol: string
  requests: number
  denied: number
  evidence: Evidence
  /** The reporter whose counts these are: the strongest that saw the edge. */
  reporter: string
  mtls: 'yes' | 'no' | 'unknown'
  first_seen: string
  last_seen: string
  operations: EdgeOperation[]
  /** Of an edge from an address: why nobody was named for it, in requests. Those that were not looked at yet are not among them. */
  unnamed?: Partial<Record<Reason, number>>
}

export interface EdgeOperation {
  method: string
  /** Behind a `#`, the operation that its requests name: `/graphql#query GetOrder`. */
  path: string
  requests: number
  denied: number
  /** Those of its requests that were answered that there is nothing: 404, 405, gRPC's UNIMPLEMENTED. */
  not_found: number
  /** Names of operations that were counted at their path, for it has too many; absent where there are none. */
  names_folded?: number
}

/**
 * Why a caller is not known. `root`: a trace begins there. `unpaired`: the span's parent never came. From `two_callers` on, what the
 * caller join says; `unknown`: it did not look yet, or the line was sent more than once.
 */
export type Reason =
  | 'root'
  | 'unpaired'
  | 'unknown'
  /** Two proxies say that they opened the one connection. */
  | 'two_callers'
  /** Who used the connection, or who wrote lines there, is not the one whose address it is. */
  | 'contradicted'
  /** It came through a gateway that passes connections on unread, and that connection's own line is not there. */
  | 'relay'
  /** A caller's line fits, but it does not say who wrote it. */
  | 'unnamed_caller'
  /** The callee tells an address that the client sent along, not the connection's. */
  | 'forwarded_address'
  /** Several had the address at that time: a node's, or one that was dealt anew. */
  | 'shared_address'
  /** Nobody is known to have had the address: no proxy, outside of the mesh, behind address translation. */
  | 'unknown_address'
  /** The line's sender is not registered any more, or for no evidence. */
  | 'untrusted_sender'

export interface Unattributed {
  destination: string
  reason: Reason
  requests: number
  /** Of a group: how many of its members were called so. */
  destinations?: number
}

/** By what nodes are put together: a property of theirs, or the value of one of their labels (`label:tier`). */
export type GroupBy = (typeof GROUP_BY)[number] | `label:${string}`
export const GROUP_BY = ['namespace', 'cluster', 'trust-domain', 'owner', 'sensitivity', 'category'] as const

/** True for what nodes can be grouped by; a label's key is as Kubernetes has them. */
export function isGroupBy(text: string): text is GroupBy {
  return (GROUP_BY as readonly string[]).includes(text) || /^label:[A-Za-z0-9._/-]{1,317}$/.test(text)
}

/** How a graph was cut to what a person can read. */
export interface Grouping {
  total_nodes: number
  shown_nodes: number
  total_edges: number
  shown_edges: number
  by: 'none' | GroupBy
  groups: string[]
}

/** A part of the graph that fits a screen, and what was left out. */
export type Screen = Graph & { grouping: Grouping }
