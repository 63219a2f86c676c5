import type { Authority, WorkloadCertificate } from '../certificates.ts'
import { type Cluster, TRUST_DOMAINS } from './world.ts'

/** Envoy's configuration as JSON values; here the pieces that know nothing of the mesh's shape. */
export type Json = Record<string, unknown>

export const TYPE = 'type.googleapis.com/envoy.extensions'

export const socketAddress = (address: string, port: number) => ({ socket_address: { address, port_value: port } })

/** An endpoint of a cluster. */
export interface Endpoint {
  address: string
  port: number
}

/** A cluster with fixed endpoints; `from` is the address that its connections come from. */
export function clusterTo(
  name: string,
  endpoints: Endpoint[],
  options: { from?: string; http2?: boolean; transport?: Json } = {},
): Json {
  const lb_endpoints = endpoints.map(({ address, port }) => ({ endpoint: { address: socketAddress(address, port) } }))
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
    ...bound(options.from),
    ...(options.http2 && HTTP2),
    ...(options.transport && { transport_socket: options.transport }),
  }
}

/** Where the connection wanted to go; its local address must have been restored. */
export const passthroughCluster = (from: string): Json => ({
  name: 'PassthroughCluster',
  type: 'ORIGINAL_DST',
  lb_policy: 'CLUSTER_PROVIDED',
  connect_timeout: '5s',
  ...bound(from),
})

const bound = (from?: string) =>
  from ? { upstream_bind_config: { source_address: { address: from, port_value: 0 } } } : {}

const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}

export const filter = (name: string, type: string, config: Json = {}): Json => ({
  name,
  typed_config: { '@type': `${TYPE}.${type}`, ...config },
})

export const TLS_INSPECTOR = filter(
  'envoy.filters.listener.tls_inspector',
  'filters.listener.tls_inspector.v3.TlsInspector',
)
/** Stands for iptables: the application's connection says where it wanted to go. */
export const PROXY_PROTOCOL = filter(
  'envoy.filters.listener.proxy_protocol',
  'filters.listener.proxy_protocol.v3.ProxyProtocol',
)
export const ROUTER = filter('envoy.filters.http.router', 'filters.http.router.v3.Router')

export const tcpProxy = (cluster: string, access_log: unknown[]): Json =>
  filter('envoy.filters.network.tcp_proxy', 'filters.network.tcp_proxy.v3.TcpProxy', {
    stat_prefix: cluster,
    cluster,
    access_log,
  })

/**
 * Path handling is Istio's default, `pathNormalization: BASE`; `edge` is a gateway that users reach: it takes the client's
 * address from the connection and nothing from its headers.
 */
export function connectionManager(options: {
  name: string
  routes: Json
  filters?: Json[]
  access_log: unknown[]
  tracing?: Json
  edge?: boolean
  certificates?: 'APPEND_FORWARD' | 'SANITIZE_SET'
  /** Of a stream that runs: said at its start and then this often. */
  periodicLogs?: string
}): Json {
  const { name, routes, filters = [], access_log, edge = false, certificates, periodicLogs } = options
  return filter(
    'envoy.filters.network.http_connection_manager',
    'filters.network.http_connection_manager.v3.HttpConnectionManager',
    {
      stat_prefix: name,
      codec_type: 'AUTO',
      server_name: 'istio-envoy',
      normalize_path: true,
      merge_slashes: false,
      path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
      use_remote_address: edge,
      generate_request_id: true,
      stream_idle_timeout: '0s',
      ...(certificates && {
        forward_client_cert_details: certificates,
        set_current_client_cert_details: { subject: true, dns: true, uri: true },
      }),
      ...options.tracing,
      http_filters: [...filters, ROUTER],
      access_log,
      ...(periodicLogs && {
        access_log_options: { access_log_flush_interval: periodicLogs, flush_access_log_on_new_request: true },
      }),
      route_config: routes,
    },
  )
}

/** Who may sign for which trust domain. */
export type Authorities = Record<Cluster, Authority>

/** Each trust domain is checked against its own authority only, as federated SPIFFE bundles demand. */
function federated(certificate: WorkloadCertificate, authorities: Authorities, peer: Json) {
  const trust_domains = (['east', 'west'] as const).map((cluster) => ({
    name: TRUST_DOMAINS[cluster],
    trust_bundle: { filename: authorities[cluster].certificate },
  }))
  return {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [keyPair(certificate)],
    validation_context: {
      custom_validator_config: {
        name: 'envoy.tls.cert_validator.spiffe',
        typed_config: { '@type': `${TYPE}.transport_sockets.tls.v3.SPIFFECertValidatorConfig`, trust_domains },
      },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: peer }],
    },
  }
}

const keyPair = ({ certificate, key }: WorkloadCertificate) => ({
  certificate_chain: { filename: certificate },
  private_key: { filename: key },
})

const tls = (type: 'UpstreamTlsContext' | 'DownstreamTlsContext', config: Json): Json => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: { '@type': `${TYPE}.transport_sockets.tls.v3.${type}`, ...config },
})

/** Mutual TLS to a workload with `principal`. */
export function upstreamTls(
  certificate: WorkloadCertificate,
  authorities: Authorities,
  to: { principal: string; sni: string; alpn: string[] },
): Json {
  const common = federated(certificate, authorities, { exact: `spiffe://${to.principal}` })
  return tls('UpstreamTlsContext', { sni: to.sni, common_tls_context: { ...common, alpn_protocols: to.alpn } })
}

/** Mutual TLS from any workload of the mesh. */
export function downstreamTls(certificate: WorkloadCertificate, authorities: Authorities, alpn: string[]): Json {
  const common = federated(certificate, authorities, { prefix: 'spiffe://' })
  return tls('DownstreamTlsContext', {
    require_client_certificate: true,
    common_tls_context: { ...common, alpn_protocols: alpn },
  })
}

/** TLS for users, who have no certificates. */
export const publicTls = (certificate: WorkloadCertificate): Json =>
  tls('DownstreamTlsContext', {
    common_tls_context: { tls_certificates: [keyPair(certificate)], alpn_protocols: ['http/1.1'] },
  })
