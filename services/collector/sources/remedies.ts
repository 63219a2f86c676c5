/** What an access log can lack. */
export type Lack = 'source_principal' | 'destination' | 'workload_port' | 'trace' | 'tls' | 'callee_reports'

const CALLEES = 'switch access logs on for the callees (Telemetry resource, accessLogging without a CLIENT-only mode)'
const JSON_FORMAT =
  'log in the recommended format (meshConfig.accessLogFormat in services/collector/sources/istio-json/README.md)'
const PEER_CERTIFICATE =
  'let the callee demand mutual TLS (Istio: PeerAuthentication STRICT; Envoy: require_client_certificate) with certificates that have a SPIFFE URI'

const recommended = (keys: string): string => `add ${keys}; ${JSON_FORMAT}`
const IN_JSON: Record<Lack, string> = {
  source_principal: recommended('source_principal: "%DOWNSTREAM_PEER_URI_SAN%"'),
  destination: recommended('upstream_cluster, requested_server_name and destination_principal'),
  workload_port: recommended('downstream_local_address and upstream_cluster'),
  trace: recommended('traceparent: "%REQ(TRACEPARENT)%"'),
  tls: recommended('tls_version: "%DOWNSTREAM_TLS_VERSION%"'),
  callee_reports: CALLEES,
}

const attribute = (...attributes: [key: string, format: string][]): string =>
  `add ${attributes.map(([key, format]) => `{ key: ${key}, value: { string_value: "${format}" } }`).join(' and ')} to attributes.values of ` +
  'envoy.access_loggers.open_telemetry (Istio: the same keys under extensionProviders[].envoyOtelAls.logFormat.labels, all of the recommended ones); see services/collector/sources/otlp-logs/README.md'

/** An entry has these fields by itself: what is missing is missing in the traffic, or is a tag or header to be asked for. */
const IN_ALS: Record<Lack, string> = {
  source_principal: `entries tell it by themselves where a certificate was shown: ${PEER_CERTIFICATE}`,
  destination:
    'give Envoy a node that says whose it is (node.id as sidecar~address~pod.namespace~domain, or node.metadata NAMESPACE and WORKLOAD_NAME), and add custom_tags: { tag: upstream_cluster, value: "%UPSTREAM_CLUSTER_RAW%" } to common_config',
  workload_port:
    'entries tell it by themselves of requests that were routed: see why the others were not (cinch rejects, response flags)',
  trace:
    'add traceparent to additional_request_headers_to_log of envoy.access_loggers.http_grpc; see services/collector/sources/envoy-als/README.md',
  tls: 'send entries of the callees, too: only their proxies see the hop (access_log on the inbound listeners)',
  callee_reports:
    'add the access log to the callees’ inbound listeners as well (Istio: a provider of kind envoyHttpAls in the Telemetry resource of their namespaces)',
}

const BY_SOURCE: Record<string, Record<Lack, string>> = {
  'istio-json': IN_JSON,
  'envoy-als': IN_ALS,
  'otlp-logs': {
    source_principal: attribute(['source_principal', '%DOWNSTREAM_PEER_URI_SAN%']),
    destination: `name the workload in the resource (k8s.namespace.name and k8s.deployment.name), and ${attribute(['upstream_cluster', '%UPSTREAM_CLUSTER_RAW%'], ['requested_server_name', '%REQUESTED_SERVER_NAME%'])}`,
    workload_port: attribute(
      ['downstream_local_address', '%DOWNSTREAM_LOCAL_ADDRESS%'],
      ['upstream_cluster', '%UPSTREAM_CLUSTER_RAW%'],
    ),
    trace: attribute(['traceparent', '%REQ(TRACEPARENT)%']),
    tls: attribute(['tls_version', '%DOWNSTREAM_TLS_VERSION%']),
    callee_reports: CALLEES,
  },
}

const TEXT = `the text format cannot tell it: ${JSON_FORMAT}`

/** What to configure so that a source tells what it lacks, in the terms of the program that writes it. */
export function remedyOf(source: string, lack: Lack): string {
  if (source === 'istio-text' || source === 'envoy-text') return lack === 'callee_reports' ? CALLEES : TEXT
  return (
    BY_SOURCE[source]?.[lack] ??
    `services/collector/sources/${source}/README.md says what its log can be made to tell; a mesh's access logs (istio-json, envoy-als) tell the rest`
  )
}
