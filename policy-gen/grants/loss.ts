import type { Callee, Permission } from '../../services/model/permission.ts'
import type { Loss } from '../targets/target.ts'

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

/** An entry of the loss report about a callee, whoever calls. */
export function calleeLoss(callee: Callee, kind: string, done: Loss['done'], detail: string, requests = 0): Loss {
  return { kind, done, detail, callee: calleeName(callee), caller: '', port: 0, method: '', path: '', requests }
}
