/**
 * Istio's default text format (pilot/pkg/model/telemetry_logging.go, from 1.23 on with UPSTREAM_CLUSTER_RAW).
 * It names no principal, and its path is a header that a client can set.
 */
export const ISTIO_TEXT = `${[
  '[%START_TIME%]',
  '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"',
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%',
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%"',
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"',
  '%UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%',
  '%REQUESTED_SERVER_NAME% %ROUTE_NAME%',
].join(' ')}\n`

/** Istio's default JSON: the 24 keys of the same fields. */
export const ISTIO_JSON = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
}

const CLAIMS = ['iss', 'sub', 'groups', 'acr', 'amr', 'auth_time']
const claim = (name: string) => `%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:${name})%`

/** What Cinch recommends: the default keys, the path as the enforcement point matches it, and who called. */
export const RECOMMENDED_JSON = {
  ...ISTIO_JSON,
  path: '%REQ(:PATH)%',
  original_path: '%REQ(X-ENVOY-ORIGINAL-PATH)%',
  source_principal: '%DOWNSTREAM_PEER_URI_SAN%',
  destination_principal: '%DOWNSTREAM_LOCAL_URI_SAN%',
  x_forwarded_client_cert: '%REQ(X-FORWARDED-CLIENT-CERT)%',
  traceparent: '%REQ(TRACEPARENT)%',
  tls_version: '%DOWNSTREAM_TLS_VERSION%',
  certificate_hash: '%DOWNSTREAM_PEER_FINGERPRINT_256%',
  certificate_end: '%DOWNSTREAM_PEER_CERT_V_END%',
  grpc_status: '%GRPC_STATUS%',
  downstream_direct_remote_address: '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%',
  jwt: Object.fromEntries(CLAIMS.map((name) => [name, claim(name)])),
  rbac: '%DYNAMIC_METADATA(envoy.filters.http.rbac)%',
  network_rbac: '%DYNAMIC_METADATA(envoy.filters.network.rbac)%',
  access_log_type: '%ACCESS_LOG_TYPE%',
}

/** One file per format: the same request is one line in each. */
export interface LogPaths {
  text: string
  json: string
  recommended: string
}

/** Envoy's access loggers that write all three formats to `paths`. */
export function accessLogs(paths: LogPaths) {
  const formats = [
    [paths.text, { text_format_source: { inline_string: ISTIO_TEXT } }],
    [paths.json, { json_format: ISTIO_JSON }],
    [paths.recommended, { json_format: RECOMMENDED_JSON }],
  ] as const
  return formats.map(([path, log_format]) => ({
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path,
      log_format,
    },
  }))
}
