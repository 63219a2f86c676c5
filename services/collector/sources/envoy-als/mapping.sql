-- Entries of Envoy's access log service to the fields that `common/envoy.sql` takes, as the recommended JSON log names them.
-- (envoy/service/accesslog/v3/als.proto, envoy/data/accesslog/v3/accesslog.proto, envoy/config/core/v3/address.proto)
-- What an entry has no field for comes from custom tags, which Envoy fills with its operators as the operator configured it.
-- In layers, as `common/envoy.sql` is, and so that a row carries its node's names and not the stream's other entries.
SELECT
  * EXCEPT (e, header_names, headers, tag_names, tags, trailer_names, trailers, answer_names, answers, metadata_names, http_rbac, network_rbac, claim_names, claim_values),
  -- What a reject shows; a fact keeps none of it.
  concat(method_text, ' ', path_text, ' ', status_text, ' ', authority_text, ' "', user_agent_text, '" ', upstream_cluster, ' ', original_path_text, ' ',
    x_forwarded_for, ' ', sni_text, ' ', peer_uri, ' ', details) AS line,
  multiIf(
    no_entries, 'no_log_entries',
    length(line) > 262144, 'line_too_long',
    NOT isValidUTF8(line), 'not_utf8',
    e.1.start_time.seconds <= 0, 'no_start_time',
    -- What a proxy's upstream log tells is in the request's own entry, too.
    e.1.access_log_type IN (7, 8, 9), 'upstream_entry',
    '') AS field_reject,
  headers[indexOf(header_names, 'x-forwarded-client-cert')] AS xfcc, headers[indexOf(header_names, 'traceparent')] AS traceparent,
  true AS tells_original, tls_text = '' AND peer_uri = '' AS tells_no_tls,
  tags[indexOf(tag_names, 'certificate_hash')] AS certificate_hash_text, tags[indexOf(tag_names, 'certificate_end')] AS certificate_end_text,
  multiIf(
    has(tag_names, 'grpc_status'), tags[indexOf(tag_names, 'grpc_status')],
    has(trailer_names, 'grpc-status'), trailers[indexOf(trailer_names, 'grpc-status')],
    answers[indexOf(answer_names, 'grpc-status')]) AS grpc_status_text,
  if(empty(claim_names), '', concat(
    '{"sub":', {claim:sub}, ',"iss":', {claim:iss}, ',"acr":', {claim:acr}, ',"groups":', {claims:groups}, ',"amr":', {claims:amr},
    ',"auth_time":', toString(toUInt32(least(greatest(claim_values[indexOf(claim_names, 'auth_time')].number_value, 0), 4294967295))), '}')) AS claims_text,
  if(empty(http_rbac) AND empty(network_rbac), '', concat('{', arrayStringConcat(arrayMap(
    field -> concat('"', field.key, '":"', field.value.string_value, '"'), arrayConcat(http_rbac, network_rbac)), ','), '}')) AS rbac_text
FROM (
  SELECT
    sender, tenant, batch, evidence_cap, speaks_for, cluster, pod_namespace, pod_workload, no_entries, e,
    {stage} AS stage, toUInt8(least(e.1.upstream_request_attempt_count, 255)) AS attempt,
    e.1.custom_tags.key AS tag_names, e.1.custom_tags.value AS tags,
    e.request.request_headers.key AS header_names, e.request.request_headers.value AS headers,
    e.response.response_trailers.key AS trailer_names, e.response.response_trailers.value AS trailers,
    e.response.response_headers.key AS answer_names, e.response.response_headers.value AS answers,
    toString(fromUnixTimestamp64Micro(least(greatest(e.1.start_time.seconds, 0), 9000000000) * 1000000 + intDiv(greatest(e.1.start_time.nanos, 0), 1000), 'UTC')) AS start_time,
    -- Envoy names the usual methods by number; any other is 0.
    if(e.request.request_method = 0, tags[indexOf(tag_names, 'method')],
      ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'][e.request.request_method]) AS method_text,
    e.request.path AS path_text, e.request.original_path AS original_path_text, e.request.authority AS authority_text,
    e.request.user_agent AS user_agent_text, e.request.forwarded_for AS x_forwarded_for, e.request.request_id AS request_id_text,
    multiIf(
      e.1.access_log_type IN (11, 12, 13), 'UDP',
      ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/3'][e.protocol_version]) AS protocol_text,
    toString(e.response.response_code.value) AS status_text,
    if(e.response.response_code_details != '', e.response.response_code_details, e.1.connection_termination_details) AS details,
    e.request.request_body_bytes + e.connection_properties.received_bytes AS bytes_received,
    e.response.response_body_bytes + e.connection_properties.sent_bytes AS bytes_sent,
    {milliseconds:e.1.duration} AS duration,
    {address:e.1.upstream_remote_address} AS upstream_host, {address:e.1.upstream_local_address} AS upstream_local,
    if(e.1.upstream_cluster != '', e.1.upstream_cluster, tags[indexOf(tag_names, 'upstream_cluster')]) AS upstream_cluster,
    {address:e.1.downstream_local_address} AS downstream_local, {address:e.1.downstream_remote_address} AS client_remote,
    -- The direct peer: the plain remote address may come from X-Forwarded-For.
    {address:e.1.downstream_direct_remote_address} AS direct_remote,
    if(direct_remote != '', direct_remote, client_remote) AS downstream_remote,
    e.1.tls_properties.tls_sni_hostname AS sni_text,
    arrayStringConcat(arrayFilter(uri -> uri != '', e.1.tls_properties.peer_certificate_properties.subject_alt_name.uri), ',') AS peer_uri,
    arrayStringConcat(arrayFilter(uri -> uri != '', e.1.tls_properties.local_certificate_properties.subject_alt_name.uri), ',') AS local_uri,
    ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'][e.1.tls_properties.tls_version] AS tls_text,
    {flags:e.1.response_flags} AS flags_text,
    e.1.metadata.filter_metadata.key AS metadata_names,
    {filter:envoy.filters.http.rbac} AS http_rbac, {filter:envoy.filters.network.rbac} AS network_rbac,
    -- Istio keeps a token's claims under `payload`; other configurations under a name of their own.
    {filter:envoy.filters.http.jwt_authn} AS jwt,
    jwt[greatest(indexOf(jwt.key, 'payload'), 1)].value.struct_value.fields AS claim_fields,
    claim_fields.key AS claim_names, claim_fields.value AS claim_values
  FROM (
    SELECT
      sender, tenant, batch, evidence_cap, speaks_for, cluster,
      -- `sidecar~10.1.2.3~orders-7d9c5b8f6-x2x4z.shop~shop.svc.cluster.local`, as Istio names its proxies.
      splitByChar('.', splitByChar('~', m.identifier.node.id)[3]) AS pod,
      m.identifier.node.metadata.fields AS names,
      multiIf(names[indexOf(names.key, 'NAMESPACE')].value.string_value != '', names[indexOf(names.key, 'NAMESPACE')].value.string_value, pod[2]) AS pod_namespace,
      multiIf(names[indexOf(names.key, 'WORKLOAD_NAME')].value.string_value != '', names[indexOf(names.key, 'WORKLOAD_NAME')].value.string_value, {workload:pod[1]}) AS pod_workload,
      arrayConcat(m.http_logs.log_entry, m.tcp_logs.log_entry) AS entries, empty(entries) AS no_entries
    FROM (SELECT *, {constants} FROM {requests})
    LEFT ARRAY JOIN streams AS m
  )
  LEFT ARRAY JOIN entries AS e
)
