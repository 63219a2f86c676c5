import { EVIDENCE } from '../services/model/evidence.ts'
import type { ObservedOperation, OperationUsers } from '../services/model/operation.ts'
import type { CallerWorkload, Permission } from '../services/model/permission.ts'

/** Adds an observation to a permission that it also supports. */
export function addObservation(permission: Permission, operation: ObservedOperation, seen: CallerWorkload): void {
  const { evidence } = permission
  if (operation.firstSeen < evidence.first_seen) evidence.first_seen = operation.firstSeen
  if (operation.lastSeen > evidence.last_seen) evidence.last_seen = operation.lastSeen
  evidence.days = Math.max(evidence.days, operation.days)
  evidence.requests += operation.requests
  evidence.plaintext_requests += plaintext(operation)
  if (evidence.users && operation.users) evidence.users = joined(evidence.users, operation.users)
  else delete evidence.users
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
    ...(operation.users ? { users: operation.users } : {}),
  }
}

function joined(left: OperationUsers, right: OperationUsers): OperationUsers {
  const seen = new Map([...left.seen, ...right.seen].map((one) => [JSON.stringify(one), one]))
  return { without: left.without + right.without, seen: [...seen.values()] }
}

function plaintext(operation: ObservedOperation): number {
  return operation.mtls === 'no' ? operation.requests : 0
}

function sameWorkload(left: CallerWorkload, right: CallerWorkload): boolean {
  return left.cluster === right.cluster && left.namespace === right.namespace && left.workload === right.workload
}
