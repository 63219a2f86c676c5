import type { WorkloadCertificate } from './certificates.ts'
import { accessLogs, type LogPaths } from './log-formats.ts'

/** A port of the called Service and the port of the workload behind it: never one for the other. */
export interface PortPair {
  servicePort: number
  workloadPort: number
}

/** The called workload, its Service, and the loopback addresses that stand for its Pod (the sidecar's and the application's). */
export interface Callee {
  namespace: string
  service: string
  labels: Record<string, string>
  principal: string
  ports: PortPair[]
  podAddress: string
  applicationAddress: string
}

/** One HTTP filter of Envoy's filter chain, as `rbac.ts` builds them. */
export interface HttpFilter {
  name: string
  typed_config: { '@type': string; rules?: unknown; [field: string]: unknown }
}

/** Envoy's bootstrap (envoy.config.bootstrap.v3.Bootstrap) as a JSON value. */
export type Bootstrap = Record<string, unknown>

const TYPE = 'type.googleapis.com/envoy.extensions'

/** DNS name of the called Service. */
export function serviceHost(callee: Callee): string {
  return `${callee.service}.${callee.namespace}.svc.cluster.local`
}

/** The outbound sidecar of one caller: plain HTTP from its application, mutual TLS with its own certificate onwards. */
export function callerConfig(caller: {
  podAddress: string
  certificate: WorkloadCertificate
  callee: Callee
  logs: LogPaths
}): Bootstrap {
  const { callee } = caller
  const host = serviceHost(callee)
  const virtualHosts = callee.ports.map(({ servicePort }, index) => ({
    name: `${host}:${servicePort}`,
    // The first port stands for the Service's HTTP port, which clients leave out of the authority.
    domains: index === 0 ? [host, `${host}:${servicePort}`] : [`${host}:${servicePort}`],
    routes: [defaultRoute(outboundCluster(host, servicePort))],
  }))
  const manager = connectionManager({ name: 'outbound', virtualHosts, filters: [], logs: caller.logs })
  const outbound = {
    name: 'outbound',
    traffic_direction: 'OUTBOUND',
    address: socketAddress('127.0.0.1', 0),
    filter_chains: [{ filters: [manager] }],
  }
  const clusters = callee.ports.map((ports) => ({
    ...staticCluster(outboundCluster(host, ports.servicePort), callee.podAddress, ports.workloadPort),
    // The caller's Pod has an address of its own, as in a cluster: the callee's log tells callers apart by it.
    upstream_bind_config: { source_address: { address: caller.podAddress, port_value: 0 } },
    transport_socket: upstreamTls(caller.certificate, callee.principal, sni(host, ports.servicePort)),
  }))
  return bootstrap('caller', [outbound], clusters)
}

/** The inbound sidecar of the callee: client certificates required, `rbac` before the router, then the application. */
export function calleeConfig(setup: {
  callee: Callee
  certificate: WorkloadCertificate
  rbac: HttpFilter[]
  /** Filters for connections, before HTTP is read. */
  connections?: HttpFilter[]
  /** Whether TLS sessions may be taken up again, which is Envoy's default. */
  resumesSessions?: boolean
  logs: LogPaths
}): Bootstrap {
  const { callee, certificate, rbac, connections = [], resumesSessions = true, logs } = setup
  const listeners = callee.ports.map(({ workloadPort }) => {
    const cluster = inboundCluster(workloadPort)
    const virtualHosts = [{ name: `inbound|http|${workloadPort}`, domains: ['*'], routes: [defaultRoute(cluster)] }]
    const manager = connectionManager({
      name: `inbound_${workloadPort}`,
      virtualHosts,
      filters: rbac,
      logs,
      peer: true,
    })
    return {
      name: `inbound_${workloadPort}`,
      traffic_direction: 'INBOUND',
      address: socketAddress(callee.podAddress, workloadPort),
      listener_filters: [
        {
          name: 'envoy.filters.listener.tls_inspector',
          typed_config: { '@type': `${TYPE}.filters.listener.tls_inspector.v3.TlsInspector` },
        },
      ],
      filter_chains: [
        { filters: [...connections, manager], transport_socket: downstreamTls(certificate, resumesSessions) },
      ],
    }
  })
  const clusters = callee.ports.map(({ workloadPort }) => ({
    ...staticCluster(inboundCluster(workloadPort), callee.applicationAddress, workloadPort),
    // The address that Istio's inbound passthrough uses, so that the log of the lab looks like a cluster's.
    upstream_bind_config: { source_address: { address: '127.0.0.6', port_value: 0 } },
  }))
  return bootstrap('callee', listeners, clusters)
}

const outboundCluster = (host: string, servicePort: number) => `outbound|${servicePort}||${host}`
const inboundCluster = (workloadPort: number) => `inbound|${workloadPort}||`
const sni = (host: string, servicePort: number) => `outbound_.${servicePort}_._.${host}`

function bootstrap(id: string, listeners: unknown[], clusters: unknown[]): Bootstrap {
  return {
    node: { id, cluster: 'lab' },
    admin: { address: socketAddress('127.0.0.1', 0) },
    static_resources: { listeners, clusters },
  }
}

function socketAddress(address: string, port: number) {
  return { socket_address: { address, port_value: port } }
}

function staticCluster(name: string, address: string, port: number) {
  const endpoint = { address: socketAddress(address, port) }
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  }
}

/** Istio's default retries, less those that repeat a request which the callee may have served. */
function defaultRoute(cluster: string) {
  const retry_policy = { retry_on: 'connect-failure,refused-stream', num_retries: 2 }
  return { name: 'default', match: { prefix: '/' }, route: { cluster, timeout: '0s', retry_policy } }
}

/**
 * Path handling is Istio's `pathNormalization: BASE`, its default (pilot/pkg/networking/core/listener_builder.go):
 * dot segments resolved, double and encoded slashes kept. It acts at both ends, so the callee sees the caller's result.
 */
function connectionManager(options: {
  name: string
  virtualHosts: unknown[]
  filters: HttpFilter[]
  logs: LogPaths
  peer?: boolean
}) {
  const peer = options.peer && {
    forward_client_cert_details: 'APPEND_FORWARD',
    set_current_client_cert_details: { subject: true, dns: true, uri: true },
  }
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
  }
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: options.name,
      codec_type: 'AUTO',
      server_name: 'istio-envoy',
      normalize_path: true,
      merge_slashes: false,
      path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
      use_remote_address: false,
      generate_request_id: true,
      stream_idle_timeout: '0s',
      ...peer,
      http_filters: [...options.filters, router],
      access_log: accessLogs(options.logs),
      route_config: { name: options.name, virtual_hosts: options.virtualHosts },
    },
  }
}

function tlsContext(certificate: WorkloadCertificate, peer: { exact: string } | { prefix: string }) {
  return {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [
      { certificate_chain: { filename: certificate.certificate }, private_key: { filename: certificate.key } },
    ],
    validation_context: {
      trusted_ca: { filename: certificate.authority },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: peer }],
    },
  }
}

function upstreamTls(certificate: WorkloadCertificate, peerPrincipal: string, name: string) {
  const common = tlsContext(certificate, { exact: `spiffe://${peerPrincipal}` })
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: name,
      common_tls_context: { ...common, alpn_protocols: ['istio-http/1.1', 'istio', 'http/1.1'] },
    },
  }
}

function downstreamTls(certificate: WorkloadCertificate, resumesSessions: boolean) {
  const common = tlsContext(certificate, { prefix: 'spiffe://cluster.local/' })
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      ...(!resumesSessions && {
        disable_stateless_session_resumption: true,
        disable_stateful_session_resumption: true,
      }),
      common_tls_context: { ...common, alpn_protocols: ['istio-http/1.1', 'http/1.1'] },
    },
  }
}
