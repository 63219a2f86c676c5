/** The two clusters of the mesh; each has a trust domain and an authority of its own. */
export type Cluster = 'east' | 'west'
export const TRUST_DOMAINS: Record<Cluster, string> = { east: 'cluster.local', west: 'west.example' }

export type Protocol = 'http' | 'grpc' | 'tcp'

/**
 * Where a workload's Envoy stands. `none`: it has none (a legacy system, a newcomer that speaks TLS itself, an intruder);
 * `outside`: it is not of the mesh at all.
 */
export type Role = 'sidecar' | 'ingress' | 'egress' | 'transit' | 'none' | 'outside'

export interface Workload {
  /** `namespace/name`, as Cinch names nodes; a host for what is outside. */
  id: string
  name: string
  namespace: string
  cluster: Cluster
  account: string
  labels: Record<string, string>
  role: Role
  /** What its application listens on, or the gateway's Envoy. */
  ports: { port: number; protocol: Protocol }[]
  /** PERMISSIVE: its sidecar takes plain text beside mutual TLS, as Istio's PeerAuthentication has it. */
  mtls: 'STRICT' | 'PERMISSIVE'
}

/** A Kubernetes Service, or a ServiceEntry for what is outside. */
export interface Service {
  host: string
  namespace: string
  servicePort: number
  workloadPort: number
  protocol: Protocol
  /** Several: a canary behind one name, by weight. */
  backends: { workload: string; subset: string; weight: number }[]
}

type Options = Partial<Pick<Workload, 'account' | 'labels' | 'role' | 'mtls'>>

function workload(cluster: Cluster, id: string, ports: Workload['ports'], options: Options = {}): Workload {
  const [namespace = '', name = ''] = id.includes('/') ? id.split('/') : ['', id]
  const defaults = { account: name, labels: { app: name, version: 'v1' }, role: 'sidecar', mtls: 'STRICT' } as const
  return { id, name, namespace, cluster, ports, ...defaults, ...options }
}

const http = (port: number) => [{ port, protocol: 'http' as const }]

export const INGRESS = 'istio-system/istio-ingressgateway'
export const EGRESS = 'istio-system/istio-egressgateway'
export const TRANSIT = 'istio-system/istio-eastwestgateway'
/** The host that users know, and the only one that the ingress gateway serves. */
export const PUBLIC_HOST = 'shop.example'
export const BANK = 'api.bank.example'
export const PARTNER = 'feeds.partner.example'

/** Thirteen of them have an Envoy. */
export const WORKLOADS: readonly Workload[] = [
  workload('east', INGRESS, http(8443), { role: 'ingress' }),
  workload('east', 'shop/frontend', http(8080)),
  workload('east', 'shop/orders', http(8080)),
  workload('east', 'shop/catalog-v1', http(8080), {
    account: 'catalog',
    labels: { app: 'catalog', version: 'v1' },
    mtls: 'PERMISSIVE',
  }),
  workload('east', 'shop/catalog-v2', http(8080), {
    account: 'catalog',
    labels: { app: 'catalog', version: 'v2' },
    mtls: 'PERMISSIVE',
  }),
  workload('east', 'shop/stock', [{ port: 9000, protocol: 'grpc' }]),
  workload('east', 'shop/cache', [{ port: 6379, protocol: 'tcp' }]),
  workload('east', 'auth/issuer', http(8080)),
  workload('east', 'ops/reports', []),
  workload('east', 'legacy/printer', http(8080), { role: 'none' }),
  workload('west', TRANSIT, [{ port: 15443, protocol: 'tcp' }], { role: 'transit' }),
  workload('west', EGRESS, http(8080), { role: 'egress' }),
  workload('west', 'pay/payments', http(8080)),
  workload('west', 'risk/fraud', http(8080)),
  // Who comes later, and not to help: one with a certificate, one without.
  workload('east', 'ops/backup', [], { role: 'none' }),
  workload('east', 'default/debug', [], { role: 'none' }),
  workload('west', BANK, http(80), { role: 'outside' }),
  workload('east', PARTNER, http(80), { role: 'outside' }),
]

const suffix = 'svc.cluster.local'
function service(id: string, servicePort: number, canary?: Service['backends']): Service {
  const backends = canary ?? [{ workload: id, subset: '', weight: 100 }]
  const { namespace, name } = canary ? { namespace: 'shop', name: 'catalog' } : workloadOf(id)
  const [port] = workloadOf(backends[0]?.workload ?? id).ports
  if (!port) throw new Error(`${id} listens on nothing`)
  const host = namespace === '' ? name : `${name}.${namespace}.${suffix}`
  return { host, namespace, servicePort, workloadPort: port.port, protocol: port.protocol, backends }
}

export const SERVICES: readonly Service[] = [
  service('shop/frontend', 80),
  service('shop/orders', 80),
  service('shop/catalog', 80, [
    { workload: 'shop/catalog-v1', subset: 'v1', weight: 80 },
    { workload: 'shop/catalog-v2', subset: 'v2', weight: 20 },
  ]),
  service('shop/stock', 9000),
  service('shop/cache', 6379),
  service('auth/issuer', 80),
  service('legacy/printer', 80),
  service(EGRESS, 80),
  service('pay/payments', 80),
  service('risk/fraud', 80),
  service(BANK, 80),
  service(PARTNER, 80),
]

/** @throws Error for an id that is none of the mesh's */
export function workloadOf(id: string): Workload {
  const found = WORKLOADS.find((candidate) => candidate.id === id)
  if (!found) throw new Error(`the mesh has no workload ${id}`)
  return found
}

/** @throws Error for a host that is none of the mesh's */
export function serviceOf(host: string): Service {
  const found = SERVICES.find((candidate) => candidate.host === host)
  if (!found) throw new Error(`the mesh has no service ${host}`)
  return found
}

/** DNS name of the Service that a workload answers for. */
export function hostOf(id: string): string {
  const found = SERVICES.find(({ backends }) => backends.some((backend) => backend.workload === id))
  if (!found) throw new Error(`no service leads to ${id}`)
  return found.host
}

export const hasEnvoy = ({ role }: Workload) => role !== 'none' && role !== 'outside'

/** Principal without `spiffe://`. */
export const principalOf = ({ cluster, namespace, account }: Workload) =>
  `${TRUST_DOMAINS[cluster]}/ns/${namespace}/sa/${account}`

/** Name of a Pod, as a Deployment would give it. */
export const podOf = ({ name }: Workload) => `${name}-5f7c9d8b6d-x2x4z`

/** Istio's names of the cluster and the server name of one Service's port. */
export const outboundCluster = ({ host, servicePort }: Service, subset = '') =>
  `outbound|${servicePort}|${subset}|${host}`
export const serverName = ({ host, servicePort }: Service, subset = '') =>
  `outbound_.${servicePort}_.${subset}_.${host}`
