import type { Callee, Permission } from '../../../services/model/permission.ts'
import type { Loss } from '../target.ts'

/** An entry of the loss report about one permission. */
export function lossOf(permission: Permission, kind: string, done: Loss['done'], detail: string): Loss {
  return {
    kind,
    done,
    detail,
    callee: calleeName(permission.callee),
    caller: permission.caller.principal,
    port: permission.port,
    method: permission.operation.method,
    path: permission.operation.path,
    requests: permission.evidence.requests,
  }
}

export function calleeName({ cluster, namespace, workload }: Callee): string {
  return cluster === '' ? `${namespace}/${workload}` : `${cluster}/${namespace}/${workload}`
}
