-- ztunnel's access log, as text (`key=value` behind four columns) or as JSON: connections on a node, with the identities that
-- both ends proved to each other. An inbound line is the callee's node's, an outbound one the caller's.
-- (ztunnel src/proxy/metrics.rs: identities are written for mutual TLS only)
SELECT
  * REPLACE (
    multiIf(
      unwrap_reject != '', unwrap_reject,
      is_json AND NOT isValidJSON(body), 'json_cut',
      event = '', 'not_an_access_log',
      NOT is_json AND NOT match(body, '\\s(direction="?(in|out)bound"?|duration="?[0-9]+ms"?|error="([^"\\\\]|\\\\.)*")$'), 'line_cut',
      src_address = '' OR dst_address = '' OR NOT (inbound OR {attribute:direction} = 'outbound'), 'fields_missing',
      '') AS field_reject,
    parseDateTime64BestEffortOrNull(if(is_json, {attribute:time}, extract(body, '^\\S+')), 6, 'UTC') AS parsed_time,
    -- A line speaks for the end on whose node it was written, not for ztunnel's own pod.
    if(inbound, callee_namespace, caller_namespace) AS reporter_namespace, if(inbound, callee, caller) AS reporter_workload,
    'node' AS enforcement_point, if(event = 'opened', 'start', 'end') AS stage,
    caller_principal AS source_principal, multiIf(caller_principal != '', 'verified', caller != '', 'address', 'none') AS source_evidence,
    caller AS source_workload, caller_namespace AS source_namespace, {attribute:src.cluster} AS source_cluster,
    {host:src_address} AS source_address_text, {port:src_address} AS source_port,
    callee_principal AS destination_principal, callee AS destination_workload, callee_namespace AS destination_namespace,
    if({attribute:dst.cluster} != '', {attribute:dst.cluster}, cluster) AS destination_cluster,
    if(position(service, '.svc') > 0, substring(service, 1, position(service, '.svc') - 1), service) AS destination_service,
    if(is_workload_target AND target != '', {host:target}, {host:dst_address}) AS destination_address_text,
    if(is_workload_target, 0, {port:target}) AS service_port, if(is_workload_target, {port:target}, 0) AS workload_port,
    if(callee = '' AND callee_principal = '' AND service != '' AND position(service, '.svc') = 0 AND position(service, '.mesh') = 0, 'external', 'internal') AS destination_kind,
    'tcp' AS protocol,
    if(refused, 'denied', 'allowed') AS decision, if(refused, replaceRegexpOne(failure, '^.*policy rejection:? ?(explicitly denied by: ?)?', ''), '') AS decided_by,
    multiIf(refused, 'DENY', failure != '', 'CONNECT', '') AS response_flags,
    toUInt64OrZero(replaceOne({attribute:duration}, 'ms', '')) * 1000 AS duration_us,
    -- Sent and received are the caller's ztunnel's words on an outbound line, the callee's on an inbound one.
    toUInt64OrZero(if(inbound, {attribute:bytes_recv}, {attribute:bytes_sent})) AS bytes_in,
    toUInt64OrZero(if(inbound, {attribute:bytes_sent}, {attribute:bytes_recv})) AS bytes_out,
    multiIf(caller_principal != '' AND callee_principal != '', 'yes', failure != '', 'unknown', 'no') AS mtls
  )
FROM (
  SELECT
    *,
    {untold},
    {attribute:direction} = 'inbound' AS inbound,
    {attribute:src.addr} AS src_address, {attribute:dst.addr} AS dst_address, {attribute:dst.hbone_addr} AS hbone_address,
    {attribute:dst.service} AS service, {attribute:error} AS failure,
    event = 'failed' OR match(failure, '(?i)policy rejection|401 Unauthorized|RBAC') AS refused,
    replaceOne({attribute:src.identity}, 'spiffe://', '') AS caller_principal, replaceOne({attribute:dst.identity}, 'spiffe://', '') AS callee_principal,
    -- The namespace of an identity is proven, the one beside it looked up (and was wrong in early versions).
    if(extract(caller_principal, '/ns/([^/]+)/sa/') != '', extract(caller_principal, '/ns/([^/]+)/sa/'), {attribute:src.namespace}) AS caller_namespace,
    if(extract(callee_principal, '/ns/([^/]+)/sa/') != '', extract(callee_principal, '/ns/([^/]+)/sa/'), {attribute:dst.namespace}) AS callee_namespace,
    {attribute:src.workload} AS caller_pod, {attribute:dst.workload} AS callee_pod,
    {workload:caller_pod} AS caller, {workload:callee_pod} AS callee,
    -- What the caller asked for: inside of the tunnel (port 15008) another address, which is the workload's own, or a service's
    -- that a waypoint answers for.
    multiIf(hbone_address != '', hbone_address, endsWith(dst_address, ':15008'), '', dst_address) AS target,
    inbound OR target = '' OR {host:target} = {host:dst_address} AS is_workload_target
  FROM (
    SELECT
      *,
      if(is_json, arrayMap(pair -> pair.1, told), pairs[1]) AS keys,
      if(is_json, arrayMap(pair -> pair.2, told), arrayMap((quoted, bare) -> concat(quoted, bare), pairs[2], pairs[3])) AS values,
      multiIf(
        is_json, if({attribute:scope} = 'access', extract({attribute:message}, '^connection (complete|failed|opened)$'), ''),
        extract(body, '^[0-9TZ:.+-]+\\s+[a-z]+\\s+access\\s+connection (complete|failed|opened)\\s')) AS event
    FROM (
      SELECT
        *,
        -- A shipper that merged the line's keys leaves its message where another has the line.
        if(match(text, '^connection (complete|failed|opened)$'), substring(line, position(line, '{{}')), text) AS body,
        startsWith(body, '{{}') AS is_json,
        JSONExtractKeysAndValues(if(is_json, body, ''), 'String') AS told,
        -- What an error says is no field: it comes last and is cut off before the others are looked for.
        if(is_json, [], extractAllGroupsHorizontal(concat(replaceRegexpOne(body, '\\serror="([^"\\\\]|\\\\.)*"$', ''), ' ', extract(body, '\\s(error="(?:[^"\\\\]|\\\\.)*")$')),
          '([a-z_.]+)=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s"]*))')) AS pairs
      FROM ({unwrap})
    )
  )
)
