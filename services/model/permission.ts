import type { DeclaredBy } from './declaration.ts'
import type { Evidence, Reporter } from './evidence.ts'
import type { PathFlag } from './operation.ts'

/** How finely a permission says what is allowed, widest first. */
export const GRANULARITIES = ['workload', 'port', 'method', 'path'] as const
export type Granularity = (typeof GRANULARITIES)[number]

export interface WorkloadReference {
  cluster: string
  namespace: string
  workload: string
}

/**
 * Whom a permission protects. Workloads that one selector covers (the versions of an application) are one callee:
 * `workload` is then the application's name and `members` lists the workloads that were seen.
 */
export interface Callee extends WorkloadReference {
  members: string[]
  /** Labels that select the callee's pods. */
  selector: Record<string, string>
  /** `assumed`: no inventory gave the labels, a naming rule did. */
  selectorBasis: 'inventory' | 'assumed'
  /** Requests that reached the callee without mutual TLS, whoever made them. */
  plaintextRequests: number
  /** True when some reporter said of some request that it was mutual TLS. */
  mutualTlsSeen: boolean
  /** Left out where a sidecar stands beside the callee. In ambient mode: the Services in front of it, to which a waypoint's policies are bound. */
  ambient?: { services: CalleeService[] }
}

/** A Service in front of a callee. A waypoint receives on the Service's ports, the callee on its own. */
export interface CalleeService {
  name: string
  ports: { servicePort: number; workloadPort: number }[]
}

/** A workload behind an identity. */
export interface CallerWorkload extends WorkloadReference {
  /** Labels that select its pods and no other application's; null when the inventory has none. */
  selector: Record<string, string> | null
  /** True in ambient mode: its requests go through the callee's waypoint. Those of sidecars and gateways go around it. */
  ambient?: true
}

export interface Caller {
  /** Platform identity without a scheme: `cluster.local/ns/a/sa/b`. */
  principal: string
  /** `assumed`: a naming rule made it from a name that the caller only claimed. */
  basis: 'observed' | 'assumed'
  /** The workloads that were seen behind the identity; more than one means a shared service account. */
  workloads: CallerWorkload[]
}

/** A widening that the evidence forced: what was asked for could not be said, so the next wider thing is. */
export interface Widening {
  from: Granularity
  to: Granularity
  reason: string
}

/** A condition on the user, the device or the moment (`request.auth.claims[groups]` is one of …). */
export interface Condition {
  key: string
  values: string[]
}

export interface PermissionEvidence {
  first_seen: string
  last_seen: string
  /** A lower bound where several operations were merged: the days of the one that was seen on most. */
  days: number
  requests: number
  /** Of the strongest observation. */
  strength: Evidence
  reporters: Reporter[]
  /** Requests of this permission that were plaintext: an identity-based rule cannot allow them. */
  plaintext_requests: number
  /** Of all observations; left out where one of them did not tell. */
  users?: UserEvidence
  /** Left out where nobody told of any of the caller's replicas. */
  replicas?: ReplicaEvidence
}

/** From how many of its caller's replicas served requests of a permission came: a replica that was taken over is one. */
export interface ReplicaEvidence {
  /** So many at least; 0 where none was told of. */
  distinct: number
  /** As many as the caller had meanwhile: declared Pods, else those that were seen at anything. So many at least. */
  of: number
  /** Digests of the images that these replicas ran, as far as Pods were declared; of several containers with commas between them. */
  images: string[]
}

/** Whom the served requests of a permission carried, as verified tokens told. */
export interface UserEvidence {
  /** Requests with a user, without one, and those of which nobody told. */
  with: number
  without: number
  untold: number
  /** Distinct users, counted as `distinctUsers` does. */
  distinct: number
  issuers: string[]
  /** What users had of what conditions look at, those of most requests first; at most `SEEN_MAX`. */
  seen: { issuer: string; acr: string | null; groups: string[] | null; requests: number }[]
}

/**
 * What its owner must say before a permission may be approved. `machine_to_machine`: it was never used on behalf of a user where users
 * would have been told, so that nothing binds it to one.
 */
export type Question = 'machine_to_machine'

/**
 * The target-neutral rule, with the elements that NIST SP 800-204B asks of an authorization policy (APE-SR-1): effect,
 * callee, caller, port, operation, conditions; and the evidence it stands on.
 *
 * `port` is the workload's port, 0 for any. An empty `method` or `path` is any; a `path` is as observed, with segments
 * in braces for parameters, and says with `flags` on which of its traits targets differ.
 */
export interface Permission {
  effect: 'allow'
  callee: Callee
  caller: Caller
  port: number
  /** `named`: the operations that requests to the path named beside it; whoever may ask the path may ask them all. */
  operation: { method: string; path: string; flags: PathFlag[]; named?: string[] }
  conditions: Condition[]
  /** Why nothing is asked of users, where conditions on them were wanted. */
  unconditional?: string
  /** Left out where nothing is asked. */
  questions?: Question[]
  granularity: Granularity
  widened: Widening[]
  evidence: PermissionEvidence
  /** Its owners' declarations, where there are any; one that nobody observed has evidence of no request. */
  declared?: DeclaredBy[]
}

export function isGranularity(value: string): value is Granularity {
  return (GRANULARITIES as readonly string[]).includes(value)
}
