import type { Permission } from '../../../services/model/permission.ts'
import type { Loss, Skipped } from '../data/types.ts'

export interface PermissionRow {
  caller: string
  callee: string
  port: number
  operation: string
  requests: number
  days: number
  /** Of those that the caller had; empty where nobody told. */
  replicas: string
  strength: string
  last: string
}

/** A permission as a row; what a naming rule made up is marked. */
export function permissionRow({ caller, callee, port, operation, evidence }: Permission): PermissionRow {
  return {
    caller: caller.basis === 'assumed' ? `${caller.principal} (assumed)` : caller.principal,
    callee: `${callee.namespace}/${callee.workload}`,
    port,
    operation: operationText(operation.method, operation.path) || 'any',
    requests: evidence.requests,
    days: evidence.days,
    replicas: evidence.replicas ? `${evidence.replicas.distinct} of ${evidence.replicas.of}` : '',
    strength: evidence.strength,
    last: evidence.last_seen,
  }
}

/** What a skipped entry speaks of: one operation by its name, or how many. */
export function skippedOperation({ operation, operations }: Skipped): string {
  return operation ?? (operations === undefined ? '' : String(operations))
}

export interface LossRow {
  subject: string
  what: string
  done: string
  requests: number
}

/** A loss as a row: who, whom and what it concerns in one text. */
export function lossRow({ subject, caller, callee, port, method, path, detail, what, done, requests }: Loss): LossRow {
  const ends = [caller, callee].filter(Boolean).join(' → ')
  const parts = [ends, port ? `port ${port}` : '', operationText(method, path)]
  return {
    subject: subject ?? parts.filter(Boolean).join(' '),
    what: detail ?? what ?? '',
    done,
    requests: requests ?? 0,
  }
}

function operationText(method = '', path = ''): string {
  return [method, path].filter(Boolean).join(' ')
}
