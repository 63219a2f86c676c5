-- Envoy's JSON access log: Istio's 24 default keys and the recommended ones. Every value is taken as text, so numbers may come
-- as strings, and an absent key, null and "-" all read as "not told". One JSONExtract: the line is parsed once.
SELECT
  *,
  multiIf(
    unwrap_reject != '', unwrap_reject,
    startsWith(text, '{') AND `f.start_time` != '', '',
    NOT isValidJSON(text), if(startsWith(text, '{'), 'json_cut', 'not_json'),
    'no_start_time') AS field_reject,
  `f.start_time` AS start_time, `f.method` AS method_text, `f.path` AS path_text, `f.original_path` AS original_path_text, `f.protocol` AS protocol_text,
  `f.response_code` AS status_text, `f.response_flags` AS flags_text, 
  if(length(`f.response_code_details`) > 1, `f.response_code_details`, `f.connection_termination_details`) AS details,
  `f.bytes_received` AS bytes_received, `f.bytes_sent` AS bytes_sent, `f.duration` AS duration, `f.x_forwarded_for` AS x_forwarded_for,
  `f.user_agent` AS user_agent_text, `f.request_id` AS request_id_text, `f.authority` AS authority_text,
  `f.upstream_host` AS upstream_host, `f.upstream_cluster` AS upstream_cluster, `f.upstream_local_address` AS upstream_local,
  `f.downstream_local_address` AS downstream_local, `f.downstream_remote_address` AS client_remote,
  -- The direct peer where the line tells it: the plain remote address may come from X-Forwarded-For.
  if(length(`f.downstream_direct_remote_address`) > 1, `f.downstream_direct_remote_address`, client_remote) AS downstream_remote,
  `f.requested_server_name` AS sni_text, `f.source_principal` AS peer_uri, `f.destination_principal` AS local_uri,
  `f.x_forwarded_client_cert` AS xfcc, `f.traceparent` AS traceparent, `f.tls_version` AS tls_text,
  position(text, '"original_path"') > 0 AS tells_original,
  tls_text = '' AND position(text, '"tls_version"') > 0 AS tells_no_tls,
  `f.certificate_hash` AS certificate_hash_text, `f.certificate_end` AS certificate_end_text, `f.grpc_status` AS grpc_status_text,
  `f.jwt` AS claims_text, concat(`f.rbac`, `f.network_rbac`) AS rbac_text, `f.operation_name` AS operation_text,
  -- A long stream may be logged at its start and meanwhile, too (envoy/data/accesslog/v3, AccessLogType): it is one request.
  multiIf(
    `f.access_log_type` IN ('TcpUpstreamConnected', 'DownstreamStart', 'DownstreamTunnelSuccessfullyEstablished', 'UdpTunnelUpstreamConnected'), 'start',
    `f.access_log_type` IN ('TcpPeriodic', 'DownstreamPeriodic', 'UdpPeriodic'), 'periodic', 'end') AS stage
FROM (
  SELECT
    *,
    untuple(JSONExtract(text, 'Tuple(
      start_time String, method LowCardinality(String), path String, original_path String, protocol LowCardinality(String), response_code LowCardinality(String), response_flags LowCardinality(String), response_code_details LowCardinality(String), connection_termination_details String,
      bytes_received UInt64, bytes_sent UInt64, duration UInt64, x_forwarded_for String, user_agent String, request_id String, authority LowCardinality(String),
      upstream_host String, upstream_cluster LowCardinality(String), upstream_local_address String, downstream_local_address LowCardinality(String), downstream_remote_address String,
      downstream_direct_remote_address String, requested_server_name LowCardinality(String), source_principal LowCardinality(String), destination_principal LowCardinality(String),
      x_forwarded_client_cert String, traceparent String, tls_version LowCardinality(String), certificate_hash String, certificate_end String, grpc_status LowCardinality(String),
      jwt String, rbac String, network_rbac String, operation_name LowCardinality(String), access_log_type LowCardinality(String))')) AS f
  FROM ({unwrap})
)
