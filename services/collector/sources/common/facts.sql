-- A line's fields, named as the fact names them, to a request fact: for sources that are not Envoy's and so need none of its
-- rules on sides and clusters. Paths lose what is secret, texts become addresses and times, and what cannot be is rejected.
SELECT
  sender, tenant, batch, evidence_cap, speaks_for, line, cluster,
  multiIf(
    field_reject != '', field_reject,
    isNull(parsed_time), 'bad_time',
    parsed_time > now() + INTERVAL 1 DAY, 'time_in_future',
    parsed_time < toDateTime64('2010-01-01 00:00:00', 6, 'UTC'), 'time_too_old',
    length(path_text) > 16384, 'path_too_long',
    -- Names are short; what is not would fill the dictionaries of the columns that hold names.
    greatest(length(source_principal), length(source_workload), length(source_namespace), length(destination_principal), length(destination_workload),
      length(destination_namespace), length(destination_service), length(authority_name), length(sni), length(decided_by), length(user_subject)) > 1024, 'name_too_long',
    '') AS reject_reason,
  reporter_namespace, reporter_workload,
  ifNull(parsed_time, toDateTime64(0, 6, 'UTC')) AS time, reporter, enforcement_point, stage,
  source_principal, source_evidence, source_workload, source_namespace, source_cluster,
  toIPv6OrDefault(source_address_text) AS source_address, source_port,
  toIPv6('::') AS gateway_address, 0 AS gateway_port, 0 AS gateway_upstream_port, toIPv6('::') AS gateway_upstream_address,
  destination_principal, destination_workload, destination_namespace, destination_cluster, destination_service,
  toIPv6OrDefault(destination_address_text) AS destination_address, service_port, workload_port,
  authority_name AS authority, sni, destination_kind, protocol,
  substring(method, 1, 64) AS method, path_only AS path,
  if(original_path_text = '', '', {path_secrets:cutFragment(cutQueryString(original_path_text))}) AS original_path,
  if(shape_text != '', shape_text, {named_shape:path_only:target:operation_text}) AS shape,
  {path_flags:path_sent:path_text} + more_path_flags AS path_flags,
  if(protocol = 'grpc', splitByChar('/', path_only)[2], '') AS grpc_service,
  if(protocol = 'grpc', splitByChar('/', path_only)[3], '') AS grpc_method,
  status, toInt16(-1) AS grpc_status, decision, decided_by, response_flags, duration_us, bytes_in, bytes_out,
  '' AS user_issuer, user_subject, user_groups, '' AS acr, emptyArrayString() AS amr, toDateTime(0, 'UTC') AS auth_time,
  toIPv6OrDefault(client_address_text) AS client_address, substring(if(user_agent_text = '-', '', user_agent_text), 1, 512) AS user_agent,
  mtls, tls_version, certificate_hash, ifNull(toDateTime(parseDateTime64BestEffortOrNull(certificate_end_text, 3, 'UTC')), toDateTime(0, 'UTC')) AS certificate_end,
  if(traced, unhex(substring(traceparent, 4, 32)), '') AS trace_id,
  if(traced, unhex(substring(traceparent, 37, 16)), '') AS span_id,
  toUUIDOrDefault(request_id_text, toUUID('00000000-0000-0000-0000-000000000000')) AS request_id
FROM (
  SELECT
    *,
    -- `GET http://host/path` (absolute form, HTTP/2) names the host in the path's place; `CONNECT host:port` names nothing else.
    extract(path_text, '^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)') AS absolute_authority,
    if(method = 'CONNECT', '', if(absolute_authority != '', replaceRegexpOne(path_text, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*', ''), path_text)) AS target,
    if(target IN ('', '-'), if(absolute_authority != '', '/', ''), cutFragment(cutQueryString(target))) AS path_sent,
    {path_secrets:path_sent} AS path_only,
    multiIf(authority_text NOT IN ('', '-'), authority_text, absolute_authority != '', absolute_authority, method = 'CONNECT', path_text, '') AS authority_sent,
    lower(substring(authority_sent, position(authority_sent, '@') + 1)) AS authority_name,
    length(traceparent) = 55 AND match(traceparent, '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-') AS traced
  FROM ({fields})
)
