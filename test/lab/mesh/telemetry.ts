import { accessLogs, ISTIO_TEXT, type LogPaths, RECOMMENDED_JSON } from '../log-formats.ts'
import { clusterTo } from './parts.ts'
import type { Cluster, Workload } from './world.ts'

/** Where every Envoy of the mesh reports to besides its files; what is left out is not reported. Each is `host:port`. */
export interface Reporting {
  /** Envoy's access log service over gRPC. */
  als?: string
  /** OpenTelemetry over gRPC: access logs and traces. */
  otlpGrpc?: string
  /** Bearer tokens that the Envoys of each cluster show there. */
  tokens?: Record<Cluster, string>
}

const LOGGERS = 'type.googleapis.com/envoy.extensions.access_loggers'
/** What the access log service has no field for, and Cinch recommends. */
const ALS_TAGS = ['certificate_hash', 'certificate_end', 'grpc_status', 'upstream_cluster', 'method'] as const
const ALS_HEADERS = ['traceparent', 'x-forwarded-client-cert']

const text = (string_value: string) => ({ string_value })
const attribute = (key: string, value: string) => ({ key, value: text(value) })

/** Who reports, as Istio's resource attributes name it. */
export function resourceOf(workload: Workload) {
  return {
    values: [
      attribute('k8s.cluster.name', workload.cluster),
      attribute('k8s.namespace.name', workload.namespace),
      attribute('k8s.deployment.name', workload.name),
      attribute('service.name', `${workload.labels['app']}.${workload.namespace}`),
    ],
  }
}

/** The loggers of one kind of filter: three files always, then what `reporting` asks for. */
export function loggers(kind: 'http' | 'tcp', workload: Workload, paths: LogPaths, reporting: Reporting) {
  // A file has one line a call: what Envoy says of a stream that still runs goes to the access log service only.
  const ends = { log_type_filter: { types: ['DownstreamStart', 'DownstreamPeriodic'], exclude: true } }
  const service = (cluster: string) => grpcService(cluster, workload, reporting)
  const files = accessLogs(paths).map((logger) => (kind === 'http' ? { ...logger, filter: ends } : logger))
  return [
    ...files,
    ...(reporting.als ? [grpcLogger(kind, service('als'))] : []),
    ...(reporting.otlpGrpc ? [otelLogger(workload, service('otel'))] : []),
  ]
}

/** A collector as Envoy calls it, with the token of the workload's cluster. */
function grpcService(cluster_name: string, { cluster }: Workload, { tokens }: Reporting) {
  const authorization = tokens && { key: 'authorization', value: `Bearer ${tokens[cluster]}` }
  return { envoy_grpc: { cluster_name }, ...(authorization && { initial_metadata: [authorization] }) }
}

type GrpcService = ReturnType<typeof grpcService>

function grpcLogger(kind: 'http' | 'tcp', grpc_service: GrpcService) {
  const config = kind === 'http' ? 'HttpGrpcAccessLogConfig' : 'TcpGrpcAccessLogConfig'
  return {
    name: `envoy.access_loggers.${kind}_grpc`,
    typed_config: {
      '@type': `${LOGGERS}.grpc.v3.${config}`,
      common_config: {
        log_name: `${kind}_envoy_accesslog`,
        transport_api_version: 'V3',
        grpc_service,
        buffer_flush_interval: '0.1s',
        custom_tags: ALS_TAGS.map((tag) => ({ tag, value: RECOMMENDED_JSON[tag] })),
      },
      ...(kind === 'http' && { additional_request_headers_to_log: ALS_HEADERS }),
    },
  }
}

/** The text line as the body, as Istio's provider does it, and the recommended keys as attributes. */
function otelLogger(workload: Workload, grpc_service: GrpcService) {
  const ends = { log_type_filter: { types: ['DownstreamStart', 'DownstreamPeriodic'], exclude: true } }
  const values = Object.entries(RECOMMENDED_JSON).map(([key, format]) =>
    typeof format === 'string'
      ? attribute(key, format)
      : { key, value: { kvlist_value: { values: Object.entries(format).map(([name, op]) => attribute(name, op)) } } },
  )
  return {
    name: 'envoy.access_loggers.open_telemetry',
    filter: ends,
    typed_config: {
      '@type': `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
      log_name: 'otel_envoy_accesslog',
      grpc_service,
      buffer_flush_interval: '0.1s',
      disable_builtin_labels: true,
      resource_attributes: resourceOf(workload),
      body: text(ISTIO_TEXT.trimEnd()),
      attributes: { values },
    },
  }
}

/** `tracing` of a connection manager: every request, with Istio's tags; nothing where no collector is. */
export function tracing(workload: Workload, reporting: Reporting) {
  if (!reporting.otlpGrpc) return {}
  const literal = (tag: string, value: string) => ({ tag, literal: { value } })
  return {
    tracing: {
      random_sampling: { value: 100 },
      custom_tags: [
        literal('istio.canonical_service', workload.labels['app'] ?? workload.name),
        literal('istio.canonical_revision', workload.labels['version'] ?? 'latest'),
        literal('istio.namespace', workload.namespace),
        literal('istio.cluster_id', workload.cluster),
        literal('istio.mesh_id', 'lab'),
      ],
      provider: {
        name: 'envoy.tracers.opentelemetry',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
          grpc_service: { ...grpcService('otel', workload, reporting), timeout: '1s' },
          service_name: `${workload.labels['app']}.${workload.namespace}`,
        },
      },
    },
  }
}

/** The clusters of the collectors. */
export function collectors({ als, otlpGrpc }: Reporting) {
  const to = (name: string, address: string) => {
    const [host = '', port = ''] = address.split(':')
    return clusterTo(name, [{ address: host, port: Number(port) }], { http2: true })
  }
  return [...(als ? [to('als', als)] : []), ...(otlpGrpc ? [to('otel', otlpGrpc)] : [])]
}
