import type { Assessment } from '../../../services/model/check.ts'
import type { Evidence } from '../../../services/model/evidence.ts'
import type { Finding, FindingAct, FindingListing, FindingWord } from '../../../services/model/finding.ts'
import type { Graph, Grouping } from '../../../services/model/graph.ts'
import type { Granularity, Permission } from '../../../services/model/permission.ts'
import type { ReplayResult } from '../../../services/model/replay.ts'

/** The answers of the API as the screens read them. Fields that a newer server adds are ignored. */

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

/** Observed, but no permission was made of it: one operation, or how many of this caller at this callee. */
export interface Skipped {
  callee: string
  caller: string
  operation?: string
  operations?: number
  reason: string
  requests: number
}

/** What the target cannot express: said in one text (`subject`, `what`) or in parts. */
export interface Loss {
  subject?: string
  what?: string
  detail?: string
  done: string
  callee?: string
  caller?: string
  port?: number
  method?: string
  path?: string
  requests?: number
}

export interface PolicyReport {
  permissions: Permission[]
  skipped: Skipped[]
  assumed: { principal?: string; selector?: string }
  loss: Loss[]
}

export interface PolicyAnswer {
  files: PolicyFile[]
  report: PolicyReport
}

export interface FindingStory {
  finding: Finding
  words: FindingWord[]
}

/** What a person says of a finding. */
export interface FindingActRequest {
  act: FindingAct['act']
  why: string
  owner?: string
  until?: string
}

export interface Window {
  since: string
  until: string
}

export type { Assessment, Evidence, Finding, FindingListing, Granularity, ReplayResult }
