import { readFileSync } from 'node:fs'
import type { WorkloadCertificate } from '../certificates.ts'
import type { LogPaths } from '../log-formats.ts'
import { rbacFilters } from '../rbac.ts'
import type { Addresses } from './addresses.ts'
import type { Delivery } from './delivery.ts'
import { jwtFilter, type Keys } from './jwt.ts'
import { outboundClusters, outboundListener } from './outbound.ts'
import {
  type Authorities,
  clusterTo,
  connectionManager,
  downstreamTls,
  filter,
  type Json,
  passthroughCluster,
  publicTls,
  socketAddress,
  TLS_INSPECTOR,
  tcpProxy,
} from './parts.ts'
import { ingressRoutes, oneRoute } from './routes.ts'
import { collectors, loggers, type Reporting, tracing } from './telemetry.ts'
import { BANK, outboundCluster, podOf, SERVICES, serverName, serviceOf, type Workload } from './world.ts'

/** What one Envoy's configuration is made of. */
export interface Setup {
  workload: Workload
  certificate: WorkloadCertificate
  /** Of the ingress gateway, for users. */
  publicCertificate: WorkloadCertificate
  authorities: Authorities
  addresses: Addresses
  logs: LogPaths
  reporting: Reporting
  /** Public keys of the issuer. */
  keys: Keys
  /** Where policies are put in while the mesh runs; without it, `policies.yaml` holds. */
  delivery?: Delivery | undefined
}

const POLICIES = readFileSync(new URL('./policies.yaml', import.meta.url), 'utf8')
const HTTP_ALPN = ['istio-http/1.1', 'http/1.1']
/** How often the access log service hears of a stream that runs. */
const PERIODIC_LOGS = '0.2s'

/** The bootstrap of one workload's Envoy, with Istio's names. */
export function bootstrapOf(setup: Setup): Json {
  const { workload, addresses } = setup
  const { listeners, clusters } = BY_ROLE[workload.role as keyof typeof BY_ROLE](setup)
  const kind = workload.role === 'sidecar' ? 'sidecar' : 'router'
  const domain = `${workload.namespace}.svc.cluster.local`
  const pod = podOf(workload)
  return {
    node: {
      id: `${kind}~${addresses.pod(workload.id)}~${pod}.${workload.namespace}~${domain}`,
      cluster: `${workload.labels['app']}.${workload.namespace}`,
      locality: { region: workload.cluster, zone: `${workload.cluster}-a` },
      metadata: {
        NAME: pod,
        NAMESPACE: workload.namespace,
        WORKLOAD_NAME: workload.name,
        SERVICE_ACCOUNT: workload.account,
        CLUSTER_ID: workload.cluster,
        MESH_ID: 'lab',
        LABELS: workload.labels,
        INSTANCE_IPS: addresses.pod(workload.id),
      },
    },
    admin: { address: socketAddress('127.0.0.1', 0) },
    static_resources: { listeners, clusters: [...clusters, ...collectors(setup.reporting)] },
  }
}

type Part = { listeners: Json[]; clusters: Json[] }

const BY_ROLE = { sidecar, ingress, egress, transit } satisfies Record<string, (setup: Setup) => Part>

const logsOf = ({ workload, logs, reporting }: Setup, kind: 'http' | 'tcp') => loggers(kind, workload, logs, reporting)

function sidecar(setup: Setup): Part {
  const { workload, addresses } = setup
  const inbound = workload.ports.map((port) => inboundListener(setup, port))
  const applications = workload.ports.map(({ port, protocol }) =>
    // 127.0.0.6 is where Istio's sidecars come from towards their application.
    clusterTo(`inbound|${port}||`, [{ address: addresses.application(workload.id), port }], {
      from: '127.0.0.6',
      http2: protocol === 'grpc',
    }),
  )
  return {
    listeners: [...inbound, outboundListener(setup)],
    clusters: [...applications, ...outboundClusters(setup), passthroughCluster(addresses.pod(workload.id))],
  }
}

function inboundListener(setup: Setup, { port, protocol }: Workload['ports'][number]): Json {
  const { workload, addresses, certificate, authorities } = setup
  const alpn = protocol === 'grpc' ? ['h2'] : protocol === 'http' ? HTTP_ALPN : ['istio']
  const filters = protocol === 'tcp' ? inboundTcp(setup, port) : [inboundHttp(setup, port, protocol)]
  const transport_socket = downstreamTls(certificate, authorities, alpn)
  const plain = { filter_chain_match: { transport_protocol: 'raw_buffer' }, filters }
  return {
    name: `virtualInbound_${port}`,
    traffic_direction: 'INBOUND',
    address: socketAddress(addresses.pod(workload.id), port),
    listener_filters: [TLS_INSPECTOR],
    filter_chains: [
      { filter_chain_match: { transport_protocol: 'tls' }, filters, transport_socket },
      ...(workload.mtls === 'PERMISSIVE' ? [plain] : []),
    ],
    // A connection that no chain takes (plain text where mutual TLS is demanded) is told by the listener itself.
    access_log: logsOf(setup, 'tcp').map((logger) => ({ ...logger, filter: NO_CHAIN })),
  }
}

const NO_CHAIN = { response_flag_filter: { flags: ['NR'] } }

function inboundHttp(setup: Setup, port: number, protocol: string): Json {
  const { workload, keys, reporting, delivery } = setup
  const jwt = workload.id === 'shop/orders' ? [jwtFilter(keys, [])] : []
  const rbac = delivery?.places(workload.id, 'http') ?? (rbacFilters(POLICIES, workload) as unknown as Json[])
  return connectionManager({
    name: `inbound_${port}`,
    routes: oneRoute(`inbound|${port}||`, `inbound|${port}||`),
    filters: [...jwt, ...rbac],
    access_log: logsOf(setup, 'http'),
    tracing: tracing(workload, reporting),
    certificates: 'APPEND_FORWARD',
    ...(protocol === 'grpc' && { periodicLogs: PERIODIC_LOGS }),
  })
}

/** The cache is for the catalog alone; AuthorizationPolicies for TCP become this filter. */
function inboundTcp(setup: Setup, port: number): Json[] {
  const proxy = tcpProxy(`inbound|${port}||`, logsOf(setup, 'tcp'))
  if (setup.delivery) return [...setup.delivery.places(setup.workload.id, 'connections'), proxy]
  const principal = { authenticated: { principal_name: { exact: 'spiffe://cluster.local/ns/shop/sa/catalog' } } }
  const rbac = filter('envoy.filters.network.rbac', 'filters.network.rbac.v3.RBAC', {
    stat_prefix: 'tcp.',
    rules: {
      action: 'ALLOW',
      policies: {
        'ns[shop]-policy[cache]-rule[0]': { permissions: [{ any: true }], principals: [principal] },
      },
    },
  })
  return [rbac, proxy]
}

function ingress(setup: Setup): Part {
  const { workload, addresses, keys, publicCertificate, reporting } = setup
  const manager = connectionManager({
    name: 'outbound_8443',
    routes: ingressRoutes(),
    filters: [
      filter('envoy.filters.http.cors', 'filters.http.cors.v3.Cors'),
      jwtFilter(keys, [{ prefix: '/api/' }, { prefix: '/account' }]),
    ],
    access_log: logsOf(setup, 'http'),
    tracing: tracing(workload, reporting),
    edge: true,
    certificates: 'SANITIZE_SET',
  })
  const listener = {
    name: '0.0.0.0_8443',
    traffic_direction: 'OUTBOUND',
    address: socketAddress(addresses.pod(workload.id), 8443),
    filter_chains: [{ filters: [manager], transport_socket: publicTls(publicCertificate) }],
  }
  return { listeners: [listener], clusters: outboundClusters(setup) }
}

function egress(setup: Setup): Part {
  const { workload, addresses, certificate, authorities, reporting, delivery } = setup
  const bank = serviceOf(BANK)
  const name = outboundCluster(bank)
  const manager = connectionManager({
    name: 'outbound_8080',
    routes: oneRoute('http.8080', name, [BANK]),
    filters: delivery?.places(workload.id, 'http') ?? [],
    access_log: logsOf(setup, 'http'),
    tracing: tracing(workload, reporting),
    certificates: 'SANITIZE_SET',
  })
  const listener = {
    name: '0.0.0.0_8080',
    traffic_direction: 'OUTBOUND',
    address: socketAddress(addresses.pod(workload.id), 8080),
    listener_filters: [TLS_INSPECTOR],
    filter_chains: [{ filters: [manager], transport_socket: downstreamTls(certificate, authorities, HTTP_ALPN) }],
  }
  const endpoint = { address: addresses.pod(BANK), port: bank.workloadPort }
  return { listeners: [listener], clusters: [clusterTo(name, [endpoint], { from: addresses.pod(workload.id) })] }
}

/** The hop between the clusters: it reads the server name and nothing else, mutual TLS goes through it. */
function transit(setup: Setup): Part {
  const { workload, addresses } = setup
  const services = SERVICES.filter(({ backends }) => backends.every((b) => isBehind(b.workload)))
  const chains = services.map((service) => ({
    filter_chain_match: { server_names: [serverName(service)] },
    filters: [tcpProxy(serverName(service), logsOf(setup, 'tcp'))],
  }))
  const listener = {
    name: '0.0.0.0_15443',
    traffic_direction: 'OUTBOUND',
    address: socketAddress(addresses.pod(workload.id), 15443),
    listener_filters: [TLS_INSPECTOR],
    filter_chains: chains,
  }
  const clusters = services.map((service) =>
    clusterTo(
      serverName(service),
      service.backends.map((backend) => ({ address: addresses.pod(backend.workload), port: service.workloadPort })),
      { from: addresses.pod(workload.id) },
    ),
  )
  return { listeners: [listener], clusters }
}

const isBehind = (id: string) => id === 'pay/payments' || id === 'risk/fraud'
