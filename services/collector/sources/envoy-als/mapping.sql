-- Entries of Envoy's access log service to the fields that `common/envoy.sql` takes, as the recommended JSON log names them.
-- (envoy/service/accesslog/v3/als.proto, envoy/data/accesslog/v3/accesslog.proto, envoy/config/core/v3/address.proto)
-- What an entry has no field for comes from custom tags, which Envoy fills with its operators as the operator configured it.
-- In layers, as `common/envoy.sql` is, and so that a row carries its node's names and not the stream's other entries.
SELECT
  * EXCEPT (start_seconds, entry_type, header_names, headers, tag_names, tags, trailer_names, trailers, answer_names, answers, http_rbac, network_rbac, claim_names, claim_values),
  -- What a reject shows; a fact keeps none of it.
  concat(method_text, ' ', path_text, ' ', status_text, ' ', authority_text, ' "', user_agent_text, '" ', upstream_cluster, ' ', original_path_text, ' ',
    x_forwarded_for, ' ', sni_text, ' ', peer_uri, ' ', details) AS line,
  multiIf(
    no_entries, 'no_log_entries',
    length(line) > 262144, 'line_too_long',
    NOT isValidUTF8(line), 'not_utf8',
    start_seconds <= 0, 'no_start_time',
    -- What a proxy's upstream log tells is in the request's own entry, too.
    entry_type IN (7, 8, 9), 'upstream_entry',
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
    sender, tenant, batch, evidence_cap, speaks_for, cluster, pod_namespace, pod_workload, no_entries, started.seconds AS start_seconds, entry_type,
    {stage} AS stage, toUInt8(least(attempts, 255)) AS attempt,
    custom_tags.key AS tag_names, custom_tags.value AS tags,
    q.request_headers.key AS header_names, q.request_headers.value AS headers,
    r.response_trailers.key AS trailer_names, r.response_trailers.value AS trailers,
    r.response_headers.key AS answer_names, r.response_headers.value AS answers,
    toString(fromUnixTimestamp64Micro(least(greatest(started.seconds, 0), 9000000000) * 1000000 + intDiv(greatest(started.nanos, 0), 1000), 'UTC')) AS start_time,
    -- Envoy names the usual methods by number; any other is 0.
    if(q.request_method = 0, tags[indexOf(tag_names, 'method')],
      ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'][q.request_method]) AS method_text,
    q.path AS path_text, q.original_path AS original_path_text, q.authority AS authority_text,
    q.user_agent AS user_agent_text, q.forwarded_for AS x_forwarded_for, q.request_id AS request_id_text,
    multiIf(
      entry_type IN (11, 12, 13), 'UDP',
      ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/3'][protocol_version]) AS protocol_text,
    toString(r.response_code.value) AS status_text,
    if(r.response_code_details != '', r.response_code_details, termination) AS details,
    q.request_body_bytes + n.received_bytes AS bytes_received,
    r.response_body_bytes + n.sent_bytes AS bytes_sent,
    {milliseconds:lasted} AS duration,
    upstream_host, upstream_local, downstream_local, client_remote,
    if(cluster_told != '', cluster_told, tags[indexOf(tag_names, 'upstream_cluster')]) AS upstream_cluster,
    -- The direct peer: the plain remote address may come from X-Forwarded-For.
    if(direct_remote != '', direct_remote, client_remote) AS downstream_remote,
    tls.tls_sni_hostname AS sni_text,
    arrayStringConcat(arrayFilter(uri -> uri != '', tls.peer_certificate_properties.subject_alt_name.uri), ',') AS peer_uri,
    arrayStringConcat(arrayFilter(uri -> uri != '', tls.local_certificate_properties.subject_alt_name.uri), ',') AS local_uri,
    ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'][tls.tls_version] AS tls_text,
    {flags:flags} AS flags_text,
    http_rbac, network_rbac,
    -- Istio keeps a token's claims under `payload`; other configurations under a name of their own.
    jwt[greatest(indexOf(jwt.key, 'payload'), 1)].value.struct_value.fields AS claim_fields,
    claim_fields.key AS claim_names, claim_fields.value AS claim_values
  FROM (
    -- The tuples are taken apart in steps: whatever touches a column of a long type costs its length in the analysis.
    SELECT
      sender, tenant, batch, evidence_cap, speaks_for, cluster, pod_namespace, pod_workload, no_entries, protocol_version, q, r, n,
      c.metadata.filter_metadata AS filters,
      {filter:envoy.filters.http.rbac} AS http_rbac, {filter:envoy.filters.network.rbac} AS network_rbac, {filter:envoy.filters.http.jwt_authn} AS jwt,
      c.tls_properties AS tls, c.response_flags AS flags, c.custom_tags AS custom_tags, c.start_time AS started, c.duration AS lasted,
      c.access_log_type AS entry_type, c.intermediate_log_entry AS is_intermediate, c.upstream_request_attempt_count AS attempts,
      c.connection_termination_details AS termination, c.upstream_cluster AS cluster_told,
      {address:c.upstream_remote_address} AS upstream_host, {address:c.upstream_local_address} AS upstream_local,
      {address:c.downstream_local_address} AS downstream_local, {address:c.downstream_remote_address} AS client_remote,
      {address:c.downstream_direct_remote_address} AS direct_remote
    FROM (
      SELECT
        sender, tenant, batch, evidence_cap, speaks_for, cluster, pod_namespace, pod_workload, no_entries,
        e.common_properties AS c, e.protocol_version AS protocol_version, e.request AS q, e.response AS r, e.connection_properties AS n
        FROM (
          SELECT
            sender, tenant, batch, evidence_cap, speaks_for, cluster,
            -- `sidecar~10.1.2.3~orders-7d9c5b8f6-x2x4z.shop~shop.svc.cluster.local`, as Istio names its proxies.
            splitByChar('.', splitByChar('~', node_id)[3]) AS pod,
            names[indexOf(names.key, 'NAMESPACE')].value.string_value AS given_namespace, names[indexOf(names.key, 'WORKLOAD_NAME')].value.string_value AS given_workload,
            if(given_namespace != '', given_namespace, pod[2]) AS pod_namespace,
            if(given_workload != '', given_workload, {workload:pod[1]}) AS pod_workload,
            entries, empty(entries) AS no_entries
          FROM (
            SELECT
              sender, tenant, batch, evidence_cap, speaks_for, cluster, m.identifier.node.id AS node_id, m.identifier.node.metadata.fields AS names,
              arrayConcat(m.http_logs.log_entry, m.tcp_logs.log_entry) AS entries
            FROM (SELECT *, {constants} FROM {requests})
            LEFT ARRAY JOIN streams AS m
          )
        )
        LEFT ARRAY JOIN entries AS e
      )
    )
  )
)
