-- An Envoy access-log line's fields to a request fact: which side logged it, who called whom, on which ports, and what came of it.
-- Istio's cluster names tell the side: `inbound|8080||` is the callee's sidecar (workload port), `outbound|80||host` a caller's
-- sidecar or a gateway (service port), `inbound-vip|80|http|host` a waypoint. A line without any is a plain proxy's.
-- In layers, because the engine expands an alias wherever it is used: as one SELECT this took 230 ms to analyse for each block.
SELECT
  sender, tenant, batch, evidence_cap, speaks_for, line, cluster,
  multiIf(
    field_reject != '', field_reject,
    isNull(parsed_time), 'bad_time',
    parsed_time > now() + INTERVAL 1 DAY, 'time_in_future',
    parsed_time < toDateTime64('2010-01-01 00:00:00', 6, 'UTC'), 'time_too_old',
    length(path_text) > 16384, 'path_too_long',
    '') AS reject_reason,
  pod_namespace AS reporter_namespace, pod_workload AS reporter_workload,
  ifNull(parsed_time, toDateTime64(0, 6, 'UTC')) AS time, reporter,
  multiIf(
    side = 'inbound-vip', 'waypoint', side = 'transit', 'transit', side = '', 'none', reporter = 'gateway', 'gateway', 'sidecar') AS enforcement_point,

  principal AS source_principal,
  multiIf(
    principal = '', if(caller_workload != '', 'address', 'none'),
    peer_uri != '' OR length(tls_text) > 1, 'verified', 'claimed') AS source_evidence,
  caller_workload AS source_workload,
  multiIf(caller_workload != '', pod_namespace, peer_namespace != '', peer_namespace, principal != '', splitByChar('/', principal)[3], '') AS source_namespace,
  if(reporter = 'source', cluster, '') AS source_cluster,
  -- A caller's sidecar tells the connection that the callee's sees: the two lines are joined by it. Port 0 marks an address
  -- that Envoy took from X-Forwarded-For: a client's claim, never a caller.
  toIPv6OrDefault(multiIf(own_end, upstream_local_host, remote_port = 0, '', remote_host)) AS source_address,
  multiIf(own_end, {port:upstream_local}, reporter = 'source', 0, remote_port) AS source_port,

  -- A gateway stands between two connections: where it took the one, from where it opened the other, and to which address.
  toIPv6OrDefault(multiIf(NOT between, '', upstream_local_host != '', upstream_local_host, downstream_local_host)) AS gateway_address,
  if(between, {port:downstream_local}, 0) AS gateway_port, if(between, {port:upstream_local}, 0) AS gateway_upstream_port,
  toIPv6OrDefault(if(between AND upstream_local_host != '', {host:upstream_host}, '')) AS gateway_upstream_address,

  local_principal AS destination_principal,
  callee_workload AS destination_workload,
  multiIf(
    callee_workload != '', pod_namespace,
    external, '',
    service = sni_service AND service != '', sni_namespace,
    position(service, '.') > 0, splitByChar('.', service)[2],
    local_namespace) AS destination_namespace,
  cluster AS destination_cluster, service AS destination_service,
  -- Of a gateway that names the service behind it, workload, principal and address are its own: the line tells of two hops.
  toIPv6OrDefault(if(reporter = 'destination' OR (reporter = 'gateway' AND service != ''), downstream_local_host, {host:upstream_host})) AS destination_address,
  multiIf(
    side = 'outbound' OR side = 'inbound-vip', cluster_port,
    side = 'egress', {port:upstream_host},
    asked_host = '', 0, sni_port) AS service_port,
  multiIf(
    side = 'inbound', cluster_port,
    reporter = 'destination', {port:downstream_local},
    {port:upstream_host}) AS workload_port,
  authority_name AS authority,
  if(sni_text = '-', '', sni_text) AS sni,
  if(external, 'external', 'internal') AS destination_kind,

  protocol_name AS protocol,
  if(method_text = '-', '', substring(method_text, 1, 64)) AS method,
  path_only AS path,
  {path_secrets:cutFragment(cutQueryString(original_path_text))} AS original_path,
  {named_shape:path_only:path_text:operation_text} AS shape,
  -- The default formats log the path that a client says was its original one: a claim, marked as such (`claimed`).
  {path_flags:path_sent:path_text} + if(tells_original OR path_sent = '', 0, 2048) AS path_flags,
  if(protocol_name = 'grpc', splitByChar('/', path_only)[2], '') AS grpc_service,
  if(protocol_name = 'grpc', splitByChar('/', path_only)[3], '') AS grpc_method,
  toUInt16OrZero(status_text) AS status, 
  -- `%GRPC_STATUS%` writes names unless it is told otherwise (google.rpc.Code, in Envoy's camel case).
  if(protocol_name != 'grpc', -1, toInt16OrDefault(transform(grpc_status_text,
    ['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists', 'PermissionDenied', 'ResourceExhausted',
     'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented', 'Internal', 'Unavailable', 'DataLoss', 'Unauthenticated'],
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16'], grpc_status_text), toInt16(-1))) AS grpc_status,

  verdict AS decision,
  multiIf(
    verdict = 'allowed', '',
    -- A dry run that would deny names a policy only where a DENY policy matched; the id of an ALLOW policy is of its matches.
    verdict = 'would_deny', extract(rbac_text, '(?:deny_|")shadow_effective_policy_id":"([^"]*)"'),
    startsWith(upstream_cluster, 'BlackHole'), 'outbound_traffic_policy',
    position(details, '[') > 0, extract(details, '\\[(.*)\\]$'), length(details) > 1, details, flags_text) AS decided_by,
  if(flags_text = '-', '', flags_text) AS response_flags,
  duration * 1000 AS duration_us, bytes_received AS bytes_in, bytes_sent AS bytes_out,
  claims.2 AS user_issuer, claims.1 AS user_subject,
  -- A token of one group may hold its name instead of a list.
  if(empty(claims.3) AND position(claims_text, '"groups":"') > 0,
    arrayFilter(name -> name NOT IN ('', '-'),
      [if(JSONHas(claims_text, 'payload'), JSONExtractString(claims_text, 'payload', 'groups'), JSONExtractString(claims_text, 'groups'))]), claims.3) AS user_groups,
  claims.4 AS acr, claims.5 AS amr, toDateTime(claims.6, 'UTC') AS auth_time,
  -- At the edge the direct peer. Inside, the address that the last proxy added: those before it are the client's to choose.
  toIPv6OrDefault(multiIf(
    reporter = 'gateway' AND side != '' AND principal = '' AND remote_port != 0, remote_host,
    length(x_forwarded_for) > 1, trimBoth(splitByChar(',', x_forwarded_for)[-1]), endsWith(client_remote, ':0'), {host:client_remote}, '')) AS client_address,
  substring(if(user_agent_text = '-', '', user_agent_text), 1, 512) AS user_agent,
  -- Only the callee's proxy speaks of the hop to the callee: a caller's line tells the one from its own application.
  multiIf(reporter != 'destination', 'unknown', tells_no_tls OR tls_text = '-', 'no', principal != '' AND (peer_uri != '' OR length(tls_text) > 1), 'yes', 'unknown') AS mtls,
  if(tls_text = '-', '', tls_text) AS tls_version,
  if(certificate_hash_text = '-', '', certificate_hash_text) AS certificate_hash,
  ifNull(toDateTime(parseDateTime64BestEffortOrNull(certificate_end_text, 3, 'UTC')), toDateTime(0, 'UTC')) AS certificate_end,
  if(traced, unhex(substring(traceparent, 4, 32)), '') AS trace_id,
  if(traced, unhex(substring(traceparent, 37, 16)), '') AS span_id,
  -- Only where the caller is unknown: it is needed for the join, and random ids are the floor of the cost per row.
  if(principal = '', toUUIDOrDefault(request_id_text, toUUID('00000000-0000-0000-0000-000000000000')), toUUID('00000000-0000-0000-0000-000000000000')) AS request_id
FROM (
  SELECT
    *,
    reporter IN ('gateway', 'flow') AS between,
    if(reporter = 'source', pod_workload, '') AS caller_workload,
    if(reporter IN ('destination', 'gateway'), pod_workload, '') AS callee_workload,
    -- A certificate that the callee's own proxy verified; the header's last element only where that proxy terminated TLS itself.
    multiIf(
      peer_principal != '', peer_principal,
      reporter = 'destination' AND length(xfcc) > 1, extract(splitByString(',By=', xfcc)[-1], '(?i)(?:^|;)URI=spiffe://([^;,"]*)'), '') AS principal,
    multiIf(
      side = 'egress', if(authority_name != '', {host:authority_name}, if(sni_text = '-', '', sni_text)),
      asked_host = '', '',
      asked_host = sni_host, sni_service,
      position(asked_host, '.svc') > 0, substring(asked_host, 1, position(asked_host, '.svc') - 1), asked_host) AS service,
    side = 'egress' OR (side = 'outbound' AND position(asked_host, '.svc') = 0 AND position(asked_host, '.mesh') = 0) AS external,
    reporter = 'source' AND upstream_local_host != '' AS own_end,
    if(length(claims_text) > 1, JSONExtract(
      if(JSONHas(claims_text, 'payload'), JSONExtractRaw(claims_text, 'payload'), claims_text),
      'Tuple(sub String, iss String, groups Array(String), acr String, amr Array(String), auth_time UInt32)'), ('', '', emptyArrayString(), '', emptyArrayString(), toUInt32(0))) AS claims,
    multiIf(
      length(method_text) <= 1 AND length(path_text) <= 1, if(length(protocol_text) <= 1, 'tcp', 'unknown'),
      length(grpc_status_text) > 0 AND grpc_status_text != '-', 'grpc', 'http') AS protocol_name,
    multiIf(
      startsWith(details, 'rbac_access_denied') OR startsWith(details, 'ext_authz_denied') OR startsWith(details, 'jwt_authn_access_denied')
        OR position(flags_text, 'UAEX') > 0 OR startsWith(upstream_cluster, 'BlackHole'), 'denied',
      -- Refused before a route was chosen (malformed, too large, no such route): not served, so it teaches nothing.
      length(upstream_cluster) <= 1 AND length(upstream_host) <= 1 AND (flags_text IN ('NR', 'DPE') OR (length(details) > 1 AND details != 'direct_response')), 'denied',
      rbac_text = '', 'allowed',
      position(rbac_text, '"enforced_engine_result":"denied"') > 0, 'denied',
      position(rbac_text, 'shadow_engine_result":"denied"') > 0, 'would_deny',
      'allowed') AS verdict,
    length(traceparent) = 55 AND match(traceparent, '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-') AS traced
  FROM (
    SELECT
      *,
      -- A gateway accepts connections at its own address, a sidecar takes those that its application meant for others. Where
      -- nothing was connected upstream, TLS tells: an application speaks HTTP to its own sidecar in plain text.
      multiIf(
        startsWith(side, 'inbound') AND side != 'inbound-vip', 'destination',
        side = 'outbound' OR side = 'egress',
          -- Without either, the port: a sidecar was asked at the service's, or by its own host; a gateway listens for others on one of its own.
          if(if(upstream_local_host = '',
              length(method_text) > 1 AND (length(tls_text) > 1 OR length(sni_text) > 1)
                OR (side = 'outbound' AND downstream_local_host != '127.0.0.1' AND {port:downstream_local} != cluster_port),
            upstream_local_host = downstream_local_host OR (remote_port != 0 AND remote_host != upstream_local_host)), 'gateway', 'source'),
        -- The connection is the caller's from end to end, and the callee tells of it; here it is addresses and no more.
        side = 'transit', 'flow',
        -- A listener that refused a connection tells of itself (`filter_chain_not_found`).
        side = '' AND (sni_host != '' OR (flags_text = 'NR' AND length(method_text) <= 1 AND length(upstream_host) <= 1)), 'destination',
        'gateway') AS reporter,
      -- The server name is the client's to choose: it is not taken for the callee where it contradicts the proxy's own namespace.
      multiIf(
        side = 'outbound' OR side = 'inbound-vip', cluster_host,
        sni_host = '', '',
        (pod_namespace != '' AND pod_namespace != sni_namespace) OR (length(local_uri) > 1 AND local_namespace != sni_namespace), '',
        sni_host) AS asked_host
    FROM (
      SELECT
        *,
        parseDateTime64BestEffortOrNull(start_time, 6, 'UTC') AS parsed_time,
        extract(upstream_cluster, '^([^|]*)[|][^|]*[|][^|]*[|]') AS cluster_side,
        multiIf(
          cluster_side != '', cluster_side,
          length(upstream_cluster) <= 1, '',
          startsWith(upstream_cluster, 'Inbound') OR upstream_cluster = 'local_app', 'inbound-other',
          startsWith(upstream_cluster, 'Passthrough') OR startsWith(upstream_cluster, 'BlackHole'), 'egress',
          startsWith(upstream_cluster, 'outbound_.'), 'transit', '') AS side,
        toUInt16OrZero(extract(upstream_cluster, '^[^|]*[|]([0-9]+)[|]')) AS cluster_port,
        extract(upstream_cluster, '^[^|]*[|][^|]*[|][^|]*[|](.*)') AS cluster_host,
        -- `outbound_.80_.subset_.orders.shop.svc.cluster.local`: the service port and host that the caller's proxy asked for.
        extract(sni_text, '^outbound_[.][0-9]*_[.][^_]*_[.](.+)') AS sni_host,
        toUInt16OrZero(extract(sni_text, '^outbound_[.]([0-9]+)_')) AS sni_port,
        extract(sni_host, '^[^.]+[.]([^.]+)') AS sni_namespace,
        replaceRegexpOne(sni_host, '[.]svc.*', '') AS sni_service,
        extract(peer_uri, '^spiffe://([^,]+)') AS peer_principal,
        extract(peer_uri, '^spiffe://[^/,]+/ns/([^/,]+)') AS peer_namespace,
        extract(local_uri, '^spiffe://([^,]+)') AS local_principal,
        extract(local_uri, '^spiffe://[^/,]+/ns/([^/,]+)') AS local_namespace,
        {host:downstream_remote} AS remote_host, {port:downstream_remote} AS remote_port, if(upstream_local = '-', '', {host:upstream_local}) AS upstream_local_host,
        {host:downstream_local} AS downstream_local_host,
        lower(if(authority_text = '-', '', substring(authority_text, position(authority_text, '@') + 1))) AS authority_name,
        if(path_text = '-', '', cutFragment(cutQueryString(path_text))) AS path_sent,
        {path_secrets:path_sent} AS path_only
      FROM ({fields})
    )
  )
)
