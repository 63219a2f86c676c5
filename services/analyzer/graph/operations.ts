import type { GraphNode } from '../../model/graph.ts'
import { type ObservedOperation, PATH_FLAGS } from '../../model/operation.ts'
import { readShape } from '../../model/shape.ts'
import type { OperationRow } from '../../store/queries/rollups.ts'
import type { Call } from './calls.ts'

/** What permissions are made of and replay decides: the calls, one entry for each caller and operation of a callee. */
export function observedOperations(calls: readonly Call<OperationRow>[]): ObservedOperation[] {
  return calls.map(({ row, source, destination }) => ({
    source: { ...party(source, row.source_principal, row.source_cluster), evidence: row.source_evidence },
    destination: { ...party(destination, row.destination_principal, row.cluster), service: row.destination_service },
    servicePort: row.service_port,
    workloadPort: row.workload_port,
    protocol: row.protocol,
    method: row.method,
    ...pathOf(row),
    pathFlags: PATH_FLAGS.filter((_, bit) => (row.path_flags & (1 << bit)) !== 0),
    mtls: row.mtls,
    ...(row.users ? { users: row.users } : {}),
    ...(row.replicas ? { replicas: row.replicas } : {}),
    reporter: row.reporter,
    requests: row.requests,
    notFound: row.not_found ?? 0,
    denied: row.denied,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    days: row.days,
  }))
}

function pathOf({ shape }: OperationRow): Pick<ObservedOperation, 'path' | 'named'> {
  const { path, operation } = readShape(shape)
  return { path, ...(operation === '' ? {} : { named: operation }) }
}

function party(node: GraphNode, principal: string, cluster: string) {
  return { id: node.id, principal, namespace: node.namespace, workload: node.workload, cluster }
}
