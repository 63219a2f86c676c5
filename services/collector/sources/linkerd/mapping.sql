-- Linkerd's proxy at the callee: its access log (annotation `config.linkerd.io/access-log`, `apache` or `json`), and the lines in
-- which it says whom its policy refused, or let through only because the policy is in audit mode.
-- (linkerd2-proxy linkerd/http/access-log, linkerd/tracing/src/access_log.rs, linkerd/app/inbound/src/policy)
SELECT
  * REPLACE (
    multiIf(
      unwrap_reject != '', unwrap_reject,
      startsWith(text, '{{}') AND NOT isValidJSON(text), 'json_cut',
      form = '', if(match(text, '^\\S+ \\S+ - \\[[^\\]]*\\] "'), 'line_cut', 'not_an_access_log'),
      form = 'policy' AND isNull(at), 'no_time',
      form = 'json' AND (j.method = '' OR j.uri = ''), 'fields_missing',
      '') AS field_reject,
    at AS parsed_time,
    'destination' AS reporter, 'sidecar' AS enforcement_point,
    client AS source_principal, if(client != '', 'verified', 'none') AS source_evidence,
    multiIf(
      position(client, '.serviceaccount.identity.') > 0, splitByChar('.', client)[2],
      extract(client, '^[^/]+/ns/([^/]+)/')) AS source_namespace,
    if(form = 'policy' AND position(client_address, ':') = 0, client_address, {host:client_address}) AS source_address_text,
    if(form = 'policy' AND position(client_address, ':') = 0, 0, {port:client_address}) AS source_port,
    pod_workload AS destination_workload, pod_namespace AS destination_namespace,
    if(form = 'policy', toUInt16OrZero(extract(text, '(?:[{{}]port=|"port":"?|listen[.]addr"?[=:]"?[^ ",{}}]*:)([0-9]+)')), 0) AS workload_port,
    multiIf(form = 'json', j.host, '') AS authority_text,
    if(startsWith(message, 'Connection'), 'tcp', 'http') AS protocol,
    if(form = 'json', j.method, apache[4]) AS method, if(form = 'json', j.uri, apache[5]) AS path_text,
    if(form = 'json', toUInt16OrZero(j.status), toUInt16OrZero(apache[6])) AS status,
    multiIf(form != 'policy', 'allowed', endsWith(message, 'allowed'), 'would_deny', 'denied') AS decision,
    if(form = 'policy', trimRight(concat(if({attribute:server.name} != '', {attribute:server.name}, {attribute:server}), '/', {attribute:route.name}), '/'), '') AS decided_by,
    intDiv(toUInt64OrZero(j.total_ns), 1000) AS duration_us, toUInt64OrZero(j.request_bytes) AS bytes_in, toUInt64OrZero(j.response_bytes) AS bytes_out,
    j.user_agent AS user_agent_text, if(client != '', 'yes', 'no') AS mtls,
    if(client = '', j.trace_id, '') AS request_id_text
  )
FROM (
  SELECT
    *,
    {untold},
    -- A policy line's own time counts from the proxy's start: the time is the container runtime's or the shipper's.
    multiIf(
      form = 'json', parseDateTime64BestEffortOrNull(j.timestamp, 6, 'UTC'),
      form = 'apache', parseDateTime64BestEffortOrNull(apache[3], 6, 'UTC'),
      startsWith(line, '{{}'), coalesce(
        parseDateTime64BestEffortOrNull(JSONExtractString(line, 'time'), 6, 'UTC'), parseDateTime64BestEffortOrNull(JSONExtractString(line, '@timestamp'), 6, 'UTC'),
        parseDateTime64BestEffortOrNull(extract(JSONExtractString(line, 'timestamp'), '^[0-9]{{}4{}}-.*'), 6, 'UTC')),
      parseDateTime64BestEffortOrNull(extract(line, '^(?:\\[pod/[^\\]]*\\] )?([0-9]{{}4{}}-[0-9]{{}2{}}-[0-9]{{}2{}}T[0-9:.]+(?:Z|[+-][0-9:]+)) '), 6, 'UTC')) AS at,
    multiIf(form = 'json', j.client_addr, form = 'apache', apache[1], {attribute:client.ip} != '', {attribute:client.ip}, {attribute:client}) AS client_address,
    -- `client_id: Some(ClientId(Dns(Name("web.shop.serviceaccount.identity.linkerd.cluster.local"))))`
    multiIf(form = 'json', j.client_id, form = 'apache', apache[2], extract(replaceAll(text, '\\"', '"'), 'client_id: Some\\(ClientId\\([^"]{{}0,40{}}"([^"]+)"')) AS client_text,
    if(client_text = '-', '', replaceOne(client_text, 'spiffe://', '')) AS client
  FROM (
    SELECT
      *,
      multiIf(j.client_addr != '', 'json', length(apache) > 0, 'apache', message != '', 'policy', '') AS form,
      if(startsWith(text, '{{}'), arrayMap(pair -> pair.1, told), pairs[1]) AS keys,
      if(startsWith(text, '{{}'), arrayMap(pair -> pair.2, told), pairs[2]) AS values
    FROM (
      SELECT
        *,
        JSONExtract(if(startsWith(text, '{{}'), replaceOne(replaceOne(text, '"client.addr":', '"client_addr":'), '"client.id":', '"client_id":'), ''),
          'Tuple(client_addr String, client_id String, timestamp String, method String, uri String, trace_id String, request_bytes String, status String,
            response_bytes String, total_ns String, user_agent String, host String)') AS j,
        -- A URI has no spaces, so what stands in its quotes can be nothing else, whatever characters it has.
        extractGroups(text, '^(\\S+:[0-9]+) (\\S+) - \\[([^\\] ]+)\\] "([A-Za-z_-]+) (\\S+) HTTP/[0-9.]+"(?: ([0-9]{{}3{}}))?$') AS apache,
        if(startsWith(text, '{{}'),
          extract(JSONExtractString(text, 'fields', 'message'), '^(Request denied|Request allowed|Connection denied|Connection terminated due to policy change)$'),
          extract(text, '^\\[ *[0-9.]+s\\] +[A-Z]+ .*linkerd_app_inbound::policy[a-z:_]*: (Request denied|Request allowed|Connection denied|Connection terminated due to policy change) ')) AS message,
        JSONExtractKeysAndValues(if(startsWith(text, '{{}'), JSONExtractRaw(text, 'fields'), ''), 'String') AS told,
        extractAllGroupsHorizontal(if(startsWith(text, '['), extract(text, ' (?:Request|Connection) .*$'), ''), ' ([a-z.]+)=([^ ]*)') AS pairs
      FROM ({unwrap})
    )
  )
)
