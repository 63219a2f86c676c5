-- Entries of Envoy's access log service to the fields that `common/envoy.sql` takes, as the recommended JSON log names them.
-- (envoy/service/accesslog/v3/als.proto, envoy/data/accesslog/v3/accesslog.proto, envoy/config/core/v3/address.proto)
-- What an entry has no field for comes from custom tags, which Envoy fills with its operators as the operator configured it.
-- `statements/als.ts` lists the columns of an entry. The engine hashes all that a function stands on, down to the types of the columns,
-- so columns are narrow and each layer is small: with entries as tuples, a statement was analysed in 350 ms instead of 100.
SELECT
  * EXCEPT (started, entry_type, header_names, headers, tag_names, tags, trailer_names, trailers, answer_names, answers, http_rbac, network_rbac, claim_names, claim_values),
  {constants},
  multiIf(
    no_entries, 'no_log_entries',
    length(line) > 262144, 'line_too_long',
    NOT isValidUTF8(line), 'not_utf8',
    started.seconds <= 0, 'no_start_time',
    -- What a proxy's upstream log tells is in the request's own entry, too.
    entry_type IN (7, 8, 9), 'upstream_entry',
    '') AS field_reject,
  -- What a reject shows; a fact keeps none of it.
  concat(method_text, ' ', path_text, ' ', status_text, ' ', authority_text, ' "', user_agent_text, '" ', upstream_cluster, ' ', original_path_text, ' ',
    x_forwarded_for, ' ', sni_text, ' ', peer_uri, ' ', details) AS line,
  headers[indexOf(header_names, 'x-forwarded-client-cert')] AS xfcc, headers[indexOf(header_names, 'traceparent')] AS traceparent,
  headers[indexOf(header_names, 'x-apollo-operation-name')] AS operation_text,
  true AS tells_original, tls_text = '' AND peer_uri = '' AS tells_no_tls,
  tags[indexOf(tag_names, 'certificate_hash')] AS certificate_hash_text, tags[indexOf(tag_names, 'certificate_end')] AS certificate_end_text,
  multiIf(
    has(tag_names, 'grpc_status'), tags[indexOf(tag_names, 'grpc_status')],
    has(trailer_names, 'grpc-status'), trailers[indexOf(trailer_names, 'grpc-status')],
    answers[indexOf(answer_names, 'grpc-status')]) AS grpc_status_text,
  if(empty(claim_names), '', toJSONString(CAST((
    {claim:sub}.string_value, {claim:iss}.string_value, {claim:acr}.string_value, {list:groups}, {list:amr},
    toUInt32(least(greatest({claim:auth_time}.number_value, 0), 4294967295))),
    'Tuple(sub String, iss String, acr String, groups Array(String), amr Array(String), auth_time UInt32)'))) AS claims_text,
  if(empty(http_rbac) AND empty(network_rbac), '', concat('{', arrayStringConcat(arrayMap(
    field -> concat('"', field.key, '":"', field.value.string_value, '"'), arrayConcat(http_rbac, network_rbac)), ','), '}')) AS rbac_text
FROM (
  SELECT
    pod_namespace, pod_workload, entries = 0 AS no_entries, started, entry_type, header_names, headers, tag_names, tags, trailer_names, trailers, answer_names, answers,
    {stage} AS stage, toUInt8(least(attempts, 255)) AS attempt,
    toString(fromUnixTimestamp64Micro(least(greatest(started.seconds, 0), 9000000000) * 1000000 + intDiv(greatest(started.nanos, 0), 1000), 'UTC')) AS start_time,
    -- Envoy names the usual methods by number; any other is 0.
    if(request_method = 0, tags[indexOf(tag_names, 'method')],
      ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'][request_method]) AS method_text,
    path_text, original_path_text, authority_text, user_agent_text, x_forwarded_for, request_id_text, sni_text,
    if(entry_type IN (11, 12, 13), 'UDP', ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/3'][protocol_version]) AS protocol_text,
    toString(response_code) AS status_text,
    if(code_details != '', code_details, termination) AS details,
    request_bytes + received AS bytes_received, response_bytes + sent AS bytes_sent,
    {milliseconds:lasted} AS duration,
    {address:upstream_remote_address} AS upstream_host, {address:upstream_local_address} AS upstream_local,
    {address:downstream_local_address} AS downstream_local, {address:downstream_remote_address} AS client_remote,
    -- The direct peer: the plain remote address may come from X-Forwarded-For.
    {address:direct_remote_address} AS direct_remote,
    if(direct_remote != '', direct_remote, client_remote) AS downstream_remote,
    if(cluster_told != '', cluster_told, tags[indexOf(tag_names, 'upstream_cluster')]) AS upstream_cluster,
    arrayStringConcat(arrayFilter(uri -> uri != '', peer_uris), ',') AS peer_uri,
    arrayStringConcat(arrayFilter(uri -> uri != '', local_uris), ',') AS local_uri,
    ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'][tls_version] AS tls_text,
    -- 13, refused by an external authorization, is a message with its reason: a field 1 that is 1.
    arrayStringConcat(arrayMap(flag -> flag.1, arrayFilter(flag -> flag.2 IN ('true', '\x08\x01'), tupleToNameValuePairs(flags))), ',') AS flags_text,
    {metadata:envoy.filters.http.rbac} AS http_rbac, {metadata:envoy.filters.network.rbac} AS network_rbac,
    -- Istio keeps a token's claims under `payload`; other configurations under a name of their own.
    {metadata:envoy.filters.http.jwt_authn} AS jwt,
    -- Beside them may stand its header and others: a token's claims name its issuer.
    jwt[multiIf(has(jwt.key, 'payload'), indexOf(jwt.key, 'payload'),
      greatest(arrayFirstIndex(named -> has(named.value.struct_value.fields.key, 'iss'), jwt), 1))].value.struct_value.fields AS claim_fields,
    claim_fields.key AS claim_names, claim_fields.value AS claim_values
  FROM (
    SELECT
      -- `sidecar~10.1.2.3~orders-7d9c5b8f6-x2x4z.shop~shop.svc.cluster.local`, as Istio names its proxies.
      splitByChar('.', splitByChar('~', node_id)[3]) AS pod,
      multiIf(node_values[indexOf(node_keys, 'NAMESPACE')] != '', node_values[indexOf(node_keys, 'NAMESPACE')], pod[2]) AS pod_namespace,
      multiIf(node_values[indexOf(node_keys, 'WORKLOAD_NAME')] != '', node_values[indexOf(node_keys, 'WORKLOAD_NAME')], {workload:pod[1]}) AS pod_workload,
      length(http_started) + length(tcp_started) AS entries, {stream_columns}
    FROM {requests}
    LEFT ARRAY JOIN `streams.identifier.node.id` AS node_id, `streams.identifier.node.metadata.fields.key` AS node_keys,
      `streams.identifier.node.metadata.fields.value.string_value` AS node_values, {streams}
  )
  LEFT ARRAY JOIN {entries}
)
