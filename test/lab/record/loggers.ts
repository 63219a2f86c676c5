import { ISTIO_TEXT, RECOMMENDED_JSON } from '../log-formats.ts'

const TYPE = 'type.googleapis.com/envoy.extensions.access_loggers'

/** The keys of the recommended JSON that Envoy's access log service has no field for. */
const TAGS = ['certificate_hash', 'certificate_end', 'grpc_status', 'upstream_cluster', 'method'] as const

/** Headers that the recommended configuration logs beside Envoy's own. */
const HEADERS = ['traceparent', 'x-forwarded-client-cert']

/** Names of the gRPC access logs: without and with what Cinch recommends. */
export const ALS_DEFAULT = 'default'
export const ALS_RECOMMENDED = 'recommended'

/** Names of the OpenTelemetry access logs. */
export const OTEL_TEXT = 'otel_envoy_accesslog'
export const OTEL_ATTRIBUTES = 'attributes'
export const OTEL_BODY = 'body'

/** Loggers of the access log service: one that tells what it tells by itself, one as Cinch recommends. */
export function alsLoggers(kind: 'http' | 'tcp') {
  const config = kind === 'http' ? 'HttpGrpcAccessLogConfig' : 'TcpGrpcAccessLogConfig'
  const common = (log_name: string) => ({
    log_name: `${log_name}_${kind}`,
    transport_api_version: 'V3',
    grpc_service: { envoy_grpc: { cluster_name: 'recorder' } },
    buffer_flush_interval: '0.1s',
  })
  const custom_tags = TAGS.map((tag) => ({ tag, value: RECOMMENDED_JSON[tag] }))
  return [
    { common_config: common(ALS_DEFAULT) },
    {
      common_config: { ...common(ALS_RECOMMENDED), custom_tags },
      ...(kind === 'http' && { additional_request_headers_to_log: HEADERS }),
    },
  ].map((typed) => ({
    name: `envoy.access_loggers.${kind}_grpc`,
    typed_config: { '@type': `${TYPE}.grpc.v3.${config}`, ...typed },
  }))
}

const text = (string_value: string) => ({ string_value })

/** Which entry of a long stream it is. */
const ENTRY_TYPE = { key: 'access_log_type', value: text('%ACCESS_LOG_TYPE%') }

/** The recommended keys as OpenTelemetry's list of keys and values; `jwt` is a list within. */
function keyValues(): { key: string; value: object }[] {
  const told = Object.entries(RECOMMENDED_JSON).filter(([key]) => key !== ENTRY_TYPE.key)
  return told.map(([key, format]) => ({
    key,
    value:
      typeof format === 'string'
        ? text(format)
        : {
            kvlist_value: {
              values: Object.entries(format).map(([name, operator]) => ({ key: name, value: text(operator) })),
            },
          },
  }))
}

/**
 * OpenTelemetry's access loggers: Istio's provider (the text line as body, nothing else), every key as an attribute (over HTTP),
 * and every key in the body.
 */
export function otelLoggers(httpPort: number, pod: { namespace: string; workload: string }) {
  const grpc_service = { envoy_grpc: { cluster_name: 'recorder' } }
  const http_service = {
    http_uri: { uri: `http://127.0.0.1:${httpPort}/v1/logs`, cluster: 'recorder_http', timeout: '2s' },
  }
  const resource_attributes = {
    values: [
      { key: 'k8s.namespace.name', value: text(pod.namespace) },
      { key: 'k8s.deployment.name', value: text(pod.workload) },
    ],
  }
  return [
    { log_name: OTEL_TEXT, grpc_service, disable_builtin_labels: true, body: text(ISTIO_TEXT.trimEnd()) },
    {
      log_name: OTEL_ATTRIBUTES,
      http_service,
      resource_attributes,
      attributes: { values: [...keyValues(), ENTRY_TYPE] },
    },
    { log_name: OTEL_BODY, grpc_service, body: { kvlist_value: { values: keyValues() } } },
  ].map((typed) => ({
    name: 'envoy.access_loggers.open_telemetry',
    typed_config: {
      '@type': `${TYPE}.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
      buffer_flush_interval: '0.1s',
      ...typed,
    },
  }))
}
