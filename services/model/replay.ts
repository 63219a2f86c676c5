import type { DeclaredBy } from './declaration.ts'
import type { Evidence } from './evidence.ts'

/** One operation on which replay has something to say. Principals as the policy writes them, `path` as observed. */
export interface ReplayCall {
  source: string
  destination: string
  service_port: number
  workload_port: number
  method: string
  path: string
  requests: number
  first_seen: string
  last_seen: string
  /** Why: the rule that decided, or what is missing to decide. */
  reason: string
}

/** What somebody asks for and nobody granted: what its owner sees who is asked for a permission. */
export interface RefusedCall extends ReplayCall {
  /** How well it is known who asks. */
  evidence: Evidence
  /** Distinct UTC days. */
  days: number
}

/**
 * What a set of rendered policies would have done to the requests of a window.
 * `requests = still_allowed + sum(newly_denied) + sum(denied_not_found) + sum(newly_allowed) + sum(uncertain) + still_denied`.
 */
export interface ReplayResult {
  window: { since: string; until: string }
  requests: number
  still_allowed: number
  still_denied: number
  newly_denied: ReplayCall[]
  newly_allowed: ReplayCall[]
  uncertain: ReplayCall[]
  /** Would be denied, and were answered before that there is nothing (404): a refusal takes nothing away that was there. */
  denied_not_found: ReplayCall[]
  /** What `still_denied` counts: refused before, and by these policies too. It teaches nothing; only an owner's word makes it a permission. */
  refused: RefusedCall[]
  /** What owners declared: how many of these the policies allow, and which they do not, or may not. */
  declared: { allowed: number; not_allowed: (DeclaredBy & { why: string })[]; expired: string[] }
}
