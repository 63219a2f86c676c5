import type { Evidence } from '../../../services/model/evidence.ts'
import type { Graph } from '../../../services/model/graph.ts'
import type { ReplayResult } from '../../../services/model/replay.ts'

/** The answers of the API as the screens read them. Fields that a newer server adds are ignored. */

export interface Grouping {
  total_nodes: number
  shown_nodes: number
  total_edges: number
  shown_edges: number
  by: 'none' | 'namespace'
  groups: string[]
}

export type GraphAnswer = Graph & { grouping: Grouping }

export interface Operation {
  method: string
  path: string
  path_flags: string[]
  protocol: string
  service_port: number
  workload_port: number
  requests: number
  denied: number
  evidence: Evidence
  reporter: string
  mtls: 'yes' | 'no' | 'unknown'
  first_seen: string
  last_seen: string
  days: number
}

export interface Source {
  id: string
  title: string
  facts: number
  /** ISO 8601, UTC; null or empty when the source has sent nothing yet. */
  last_seen: string | null
}

export const GRANULARITIES = ['workload', 'port', 'method', 'path'] as const
export type Granularity = (typeof GRANULARITIES)[number]

export interface PolicyRequest {
  target: 'istio'
  granularity: Granularity
  evidence: Evidence
  principal?: string
  selector?: string
  since?: string
  until?: string
}

export interface PolicyFile {
  path: string
  content: string
}

/** `callee`, `caller`, `operation` and the permissions are for reading: text, or an object that `describe.ts` turns into it. */
export interface Skipped {
  callee: unknown
  caller: unknown
  operation: unknown
  reason: string
  requests: number
}

export interface Loss {
  subject: unknown
  what: string
  done: string
}

export interface PolicyReport {
  permissions: unknown[]
  skipped: Skipped[]
  assumed: { principal?: string; selector?: string }
  loss: Loss[]
}

export interface PolicyAnswer {
  files: PolicyFile[]
  report: PolicyReport
}

export interface Window {
  since: string
  until: string
}

export type { Evidence, ReplayResult }
