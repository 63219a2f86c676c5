import type { Evidence } from './evidence.ts'

/** The graph of requests made in a window, as `cinch graph --json` and `GET /api/v1/graph` give it. Times are ISO 8601, UTC. */
export interface Graph {
  window: { since: string; until: string }
  nodes: GraphNode[]
  edges: GraphEdge[]
  /** Requests whose caller nobody named and no address tells: roots of traces, spans whose parent never came. */
  unattributed: Unattributed[]
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
}

export interface EdgeOperation {
  method: string
  path: string
  requests: number
  denied: number
  /** Those of its requests that were answered that there is nothing: 404, 405, gRPC's UNIMPLEMENTED. */
  not_found: number
}

export interface Unattributed {
  destination: string
  reason: 'root' | 'unpaired' | 'unknown'
  requests: number
}

/** How a graph was cut to what a person can read. */
export interface Grouping {
  total_nodes: number
  shown_nodes: number
  total_edges: number
  shown_edges: number
  by: 'none' | 'namespace'
  groups: string[]
}
