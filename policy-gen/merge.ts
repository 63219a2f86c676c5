import { EVIDENCE } from '../services/model/evidence.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import type { CallerWorkload, Permission, UserEvidence } from '../services/model/permission.ts'
import { distinctUsers, type OperationUsers } from '../services/model/users.ts'

/** Classes of users that a permission's evidence lists. */
export const SEEN_MAX = 20

/** Adds an observation to a permission that it also supports. */
export function addObservation(permission: Permission, operation: ObservedOperation, seen: CallerWorkload): void {
  const { evidence } = permission
  if (operation.firstSeen < evidence.first_seen) evidence.first_seen = operation.firstSeen
  if (operation.lastSeen > evidence.last_seen) evidence.last_seen = operation.lastSeen
  evidence.days = Math.max(evidence.days, operation.days)
  evidence.requests += operation.requests
  evidence.plaintext_requests += plaintext(operation)
  if (EVIDENCE[operation.source.evidence] > EVIDENCE[evidence.strength]) evidence.strength = operation.source.evidence
  if (!evidence.reporters.includes(operation.reporter)) evidence.reporters.push(operation.reporter)
  if (!permission.caller.workloads.some((known) => sameWorkload(known, seen))) permission.caller.workloads.push(seen)
  addName(permission, operation)
  for (const flag of operation.pathFlags) {
    const { flags } = permission.operation
    if (permission.operation.path !== '' && !flags.includes(flag)) permission.operation.flags = [...flags, flag]
  }
}

function addName({ operation }: Permission, { named }: ObservedOperation): void {
  if (operation.path === '' || named === undefined || operation.named?.includes(named)) return
  operation.named = [...(operation.named ?? []), named].sort()
}

/** The evidence of one observation alone. */
export function firstEvidence(operation: ObservedOperation): Permission['evidence'] {
  return {
    first_seen: operation.firstSeen,
    last_seen: operation.lastSeen,
    days: operation.days,
    requests: operation.requests,
    strength: operation.source.evidence,
    reporters: [operation.reporter],
    plaintext_requests: plaintext(operation),
  }
}

/** What a permission's report says of its users: nothing of who they were. */
export function userEvidence({ without, untold, seen }: OperationUsers): UserEvidence {
  const served = seen.filter(({ requests }) => requests > 0)
  const classes = new Map<string, UserEvidence['seen'][number]>()
  for (const { issuer, acr, groups, requests } of served) {
    const key = JSON.stringify([issuer, acr, groups])
    classes.set(key, { issuer, acr, groups, requests: requests + (classes.get(key)?.requests ?? 0) })
  }
  return {
    with: served.reduce((sum, { requests }) => sum + requests, 0),
    without: without.requests,
    untold: untold.requests,
    distinct: distinctUsers(served.map(({ marks }) => marks)),
    issuers: [...new Set(served.map(({ issuer }) => issuer))].filter((issuer) => issuer !== '').sort(),
    seen: [...classes]
      .sort(([a, left], [b, right]) => right.requests - left.requests || (a < b ? -1 : 1))
      .slice(0, SEEN_MAX)
      .map(([, one]) => one),
  }
}

function plaintext(operation: ObservedOperation): number {
  return operation.mtls === 'no' ? operation.requests : 0
}

function sameWorkload(left: CallerWorkload, right: CallerWorkload): boolean {
  return left.cluster === right.cluster && left.namespace === right.namespace && left.workload === right.workload
}
