-- NGINX: the `combined` format (and `main`, which adds X-Forwarded-For), and the JSON formats of this folder's README. In text
-- NGINX writes quotes, backslashes and control characters as \xHH, so a line is split at its quotes without doubt.
SELECT
  * REPLACE (
    multiIf(
      unwrap_reject != '', unwrap_reject,
      is_json, multiIf(NOT isValidJSON(text), 'json_cut', j.time = 0 OR j.remote_addr = '', 'not_an_access_log', ''),
      length(q) < 3 OR NOT match(q[1], '^\\S+ - .* \\[[^\\[\\]]+\\] $'), 'not_an_access_log',
      length(q) NOT IN (7, 9) OR q[-1] != '', 'line_cut',
      NOT match(q[3], '^ [0-9]{3} [0-9]+ $'), 'fields_missing',
      '') AS field_reject,
    if(is_json,
      -- The line is written at the end: it began so many seconds before.
      fromUnixTimestamp64Milli(toInt64(round(greatest(least(j.time, 1e11) - least(greatest(j.duration, 0), 1e8), 0) * 1000)), 'UTC'),
      parseDateTime64BestEffortOrNull(replaceOne(replaceAll(extract(q[1], '\\[([^\\[\\]]+)\\] $'), '/', ' '), ':', ' '), 6, 'UTC')) AS parsed_time,
    -- Without an upstream NGINX itself is the callee; the text formats do not tell one, and speak of the hop to NGINX.
    if(upstream != '', 'gateway', 'destination') AS reporter, 'gateway' AS enforcement_point,
    if(verified, j.client_subject, '') AS source_principal, if(verified, 'verified', 'none') AS source_evidence,
    if(is_json AND j.peer_addr != '', j.peer_addr, remote_address) AS source_address_text,
    toUInt16OrZero(if(j.peer_port != '', j.peer_port, j.remote_port)) AS source_port,
    if(upstream = '', pod_workload, '') AS destination_workload,
    multiIf(upstream = '', pod_namespace, position(upstream_host, '.svc') > 0, splitByChar('.', upstream_host)[2], '') AS destination_namespace,
    multiIf(
      upstream = '' OR upstream_host = upstream_address, '',
      position(upstream_host, '.svc') > 0, substring(upstream_host, 1, position(upstream_host, '.svc') - 1), upstream_host) AS destination_service,
    if(upstream = '', j.server_addr, upstream_address) AS destination_address_text,
    if(upstream = '' OR NOT match(j.upstream, ':[0-9]+$'), 0, {port:j.upstream}) AS service_port,
    if(upstream = '', toUInt16OrZero(j.server_port), {port:upstream}) AS workload_port,
    j.host AS authority_text, j.sni AS sni,
    multiIf(NOT is_json OR j.path != '' OR j.method != '', 'http', j.protocol = 'TCP', 'tcp', j.protocol = 'UDP', 'unknown', 'http') AS protocol,
    if(match(sent_method, '^[A-Z_-]{{}1,32{}}$'), sent_method, '') AS method,
    replaceRegexpAll(sent_path, '\\\\x([0-9A-F]{{}2{}})', '%\\1') AS path_text,
    -- A byte that NGINX wrote as \xHH was sent as it is: outside of a path's characters.
    if(position(sent_path, '\\x') > 0, 512, 0) AS more_path_flags,
    status_code AS status, if(refused, 'denied', 'allowed') AS decision,
    multiIf(NOT refused OR NOT is_json, '', startsWith(j.client_verify, 'FAILED'), j.client_verify, 'nginx') AS decided_by,
    toUInt64(round(least(greatest(j.duration, 0), 1e8) * 1000)) * 1000 AS duration_us,
    j.bytes_received AS bytes_in, if(is_json, j.bytes_sent, toUInt64OrZero(splitByChar(' ', q[3])[3])) AS bytes_out,
    if(length(forwarded_for) > 1, trimBoth(splitByChar(',', forwarded_for)[1]), if(j.peer_addr NOT IN ('', j.remote_addr), j.remote_addr, '')) AS client_address_text,
    if(is_json, j.user_agent, replaceAll(replaceAll(q[6], '\\x22', '"'), '\\x5C', '\\')) AS user_agent_text,
    multiIf(NOT is_json OR upstream != '', 'unknown', verified, 'yes', 'no') AS mtls,
    j.tls_version AS tls_version, if(verified, j.certificate_hash, '') AS certificate_hash, if(verified, j.certificate_end, '') AS certificate_end_text,
    j.traceparent AS traceparent, if(verified, '', j.request_id) AS request_id_text
  )
FROM (
  SELECT
    *,
    {untold},
    if(is_json, j.remote_addr, splitByChar(' ', q[1])[1]) AS remote_address,
    splitByChar(' ', q[2]) AS request,
    if(is_json, j.method, request[1]) AS sent_method,
    multiIf(
      is_json, j.path,
      sent_method = '' OR NOT match(sent_method, '^[A-Z_-]{{}1,32{}}$'), '',
      startsWith(request[-1], 'HTTP/'), arrayStringConcat(arraySlice(request, 2, greatest(length(request) - 2, 0)), ' '),
      arrayStringConcat(arraySlice(request, 2), ' ')) AS sent_path,
    if(is_json, j.status, toUInt16OrZero(splitByChar(' ', q[3])[2])) AS status_code,
    -- `a:1, b:2 : c:3`: the servers that were tried; the last one answered.
    if(j.upstream_addr = '-', '', replaceRegexpOne(j.upstream_addr, '^.*[, ]', '')) AS upstream,
    {host:upstream} AS upstream_address,
    lower({host:j.upstream}) AS upstream_host,
    if(is_json, j.x_forwarded_for, if(length(q) = 9, q[8], '')) AS forwarded_for,
    is_json AND j.client_verify = 'SUCCESS' AND j.client_subject != '' AS verified,
    -- What NGINX answered itself with an error was not served. In text the callee may have said it: only what is a refusal counts.
    if(is_json, upstream = '' AND status_code >= 400, status_code IN (400, 401, 403, 408, 414, 431, 444, 494, 495, 496, 497)) AS refused
  FROM (
    SELECT
      *,
      startsWith(text, '{{}') AS is_json,
      splitByChar('"', if(is_json, '', text)) AS q,
      JSONExtract(if(is_json, text, ''), 'Tuple(time Float64, remote_addr String, remote_port String, peer_addr String, peer_port String, server_addr String, server_port String,
        host String, method String, path String, protocol String, status UInt16, bytes_received UInt64, bytes_sent UInt64, duration Float64, user_agent String,
        x_forwarded_for String, request_id String, traceparent String, upstream String, upstream_addr String, tls_version String, sni String,
        client_verify String, client_subject String, certificate_hash String, certificate_end String)') AS j
    FROM ({unwrap})
  )
)
