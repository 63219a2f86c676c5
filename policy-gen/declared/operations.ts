import type { Declaration, DeclaredBy } from '../../services/model/declaration.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { GRANULARITIES, type Granularity, type PermissionEvidence } from '../../services/model/permission.ts'

/** Nobody saw it: a permission that is declared and not observed. */
export const UNSEEN: PermissionEvidence = {
  first_seen: '',
  last_seen: '',
  days: 0,
  requests: 0,
  strength: 'none',
  reporters: [],
  plaintext_requests: 0,
}

/** A declaration as the operation that it allows, so that it goes the way of observed ones: same callee, same scope. */
export function operationOf({ caller, callee, port, method, path }: Declaration): ObservedOperation {
  const parts = callee.split('/')
  const [cluster = '', namespace = '', workload = ''] = parts.length === 3 ? parts : ['', ...parts]
  return {
    source: {
      id: `spiffe://${caller}`,
      principal: caller,
      namespace: '',
      workload: '',
      cluster: '',
      evidence: 'verified',
    },
    destination: { id: `${namespace}/${workload}`, principal: '', namespace, workload, cluster, service: '' },
    servicePort: 0,
    workloadPort: port,
    protocol: method === '' ? 'tcp' : 'http',
    method,
    path,
    pathFlags: path.length > 1 && path.endsWith('/') ? ['trailing_slash'] : [],
    mtls: 'unknown',
    reporter: 'destination',
    // Asked of policies, it is one request; it teaches nothing of how many there were.
    requests: 1,
    denied: 0,
    firstSeen: '',
    lastSeen: '',
    days: 0,
  }
}

/** How finely a declaration speaks: what its owner left open is meant, and no widening. */
export function granularityOf({ port, method, path }: Declaration): Granularity {
  const says = { workload: true, port: port !== 0, method: method !== '', path: path !== '' }
  return [...GRANULARITIES].reverse().find((level) => says[level]) ?? 'workload'
}

export function declaredBy({ id, kind, owner, reason, expires }: Declaration): DeclaredBy {
  return { id, kind, owner, reason, expires }
}
