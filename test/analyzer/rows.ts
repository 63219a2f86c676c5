import type { Inventory, Workload } from '../../services/model/inventory.ts'
import type { OperationRow, UsageRow } from '../../services/store/queries/rollups.ts'

/** A row that tells nothing. */
export const NOTHING: UsageRow = {
  edge: '',
  source_format: 'istio-json',
  sender: 'operator',
  enforcement_point: 'sidecar',
  mark: 0,
  active: 1,
  cluster: '',
  destination_namespace: '',
  destination_workload: '',
  destination_service: '',
  destination_principal: '',
  destination_address: '::',
  destination_kind: 'internal',
  source_cluster: '',
  source_namespace: '',
  source_workload: '',
  source_principal: '',
  source_address: '::',
  source_evidence: 'none',
  reporter: 'destination',
  unpaired: '',
  service_port: 0,
  workload_port: 0,
  protocol: 'http',
  mtls: 'unknown',
  requests: 1,
  denied: 0,
  first_seen: '2026-01-01T00:00:00.000000Z',
  last_seen: '2026-01-01T00:00:00.000000Z',
}
export const principal = (workload: string) => `cluster.local/ns/shop/sa/${workload}`

/** What the callee's proxy, the caller's, a gateway and a span tell of `web` calling `orders`. */
export const calleeSees = (more: Partial<OperationRow> = {}) => ({
  ...NOTHING,
  source_principal: principal('web'),
  source_evidence: 'verified' as const,
  destination_service: 'orders.shop',
  destination_principal: principal('orders'),
  mtls: 'yes' as const,
  ...more,
})
export const callerSees = (more: Partial<OperationRow> = {}) => ({
  ...NOTHING,
  reporter: 'source' as const,
  source_namespace: 'shop',
  source_workload: 'web',
  source_evidence: 'address' as const,
  destination_service: 'orders.shop',
  ...more,
})
export const spanSees = (more: Partial<OperationRow> = {}) => ({
  ...NOTHING,
  reporter: 'span' as const,
  source_namespace: 'shop',
  source_workload: 'web',
  source_evidence: 'claimed' as const,
  destination_namespace: 'shop',
  destination_workload: 'orders',
  ...more,
})

export function workload(name: string, account = name, more: Partial<Workload> = {}): Workload {
  const about = { cluster: '', kind: 'Deployment', owner: '' }
  return { ...about, namespace: 'shop', name, serviceAccount: account, labels: { app: name }, ...more }
}

export function inventoryOf(...workloads: Workload[]): Inventory {
  const names = [...new Set(workloads.map(({ labels }) => labels['app'] ?? ''))]
  const services = names.map((name) => ({ cluster: '', namespace: 'shop', name, selector: { app: name }, ports: [] }))
  return { workloads, services }
}
