-- A sample with its labels to a row of `parsed_metric`. Shared by all sources of metrics: the same counters come over many roads.
-- The part `samples` yields: name, keys and values (labels), instance and target_text (of the program that counts), value, time, start,
-- delta, line, line_reject, skipped.
SELECT
  batch, sender, cluster, reject_reason, if(reject_reason != '', {redacted}, '') AS line, skipped,
  if(skipped > 0 AND name != 'cinch_scrape', '', name) AS metric, measure, target, series, instance, time, start,
  if(isFinite(value) AND value >= 0 AND value < 9e15 AND NOT is_created, toInt64(round(value)), -1) AS value, delta,
  reporter, source_cluster, source_namespace, source_workload, source_principal,
  -- The page that is scraped is not the proxy's alone: Istio's agent appends the application's own metrics to it, unchanged. So
  -- whoever a counter names is a claim, whatever certificate the proxy saw.
  if(source_workload != '' OR source_principal != '', if(evidence_cap = 0, 'none', 'claimed'), 'none') AS source_evidence,
  destination_cluster, destination_namespace, destination_workload, destination_principal, destination_service,
  if(is_istio AND destination_workload = '' AND destination_principal = '' AND destination_service != '' AND NOT in_mesh, 'external', destination_kind) AS destination_kind,
  protocol, mtls, status, response_flags
FROM (
  SELECT
    * EXCEPT (line_reject),
    multiIf(
      skipped > 0 AND name != 'cinch_scrape', line_reject,
      line_reject != '', line_reject,
      time = toDateTime64(0, 3, 'UTC'), 'no_time',
      time > now() + INTERVAL 1 DAY, 'time_in_future',
      time < toDateTime64('2010-01-01 00:00:00', 3, 'UTC'), 'time_too_old',
      NOT is_created AND NOT (isFinite(value) AND value >= 0 AND value < 9e15), 'bad_value',
      length(keys) > 128 OR arrayExists(v -> length(v) > 1024, values), 'too_long',
      length(keys) != length(arrayDistinct(keys)), 'repeated_label',
      speaks_for != '' AND name != 'cinch_scrape' AND NOT match(if(reporter = 'source', concat(source_namespace, '/', source_workload), concat(destination_namespace, '/', destination_workload)), speaks_for), 'sender_may_not',
      '') AS reject_reason,
    sipHash64(cluster, target_text) AS target,
    sipHash64(cluster, target_text, name, delta, arraySort(arrayZip(keys, values))) AS series
  FROM (
    SELECT
      * EXCEPT (name), name_without_suffix AS name,
      multiIf(
        skipped > 0, '',
        name IN ('istio_requests_total', 'http.server.request.duration', 'http.client.request.duration', 'response_total'), 'requests',
        name = 'istio_tcp_connections_opened_total', 'connections',
        name = 'request_total', 'started',
        name IN ('inbound_http_authz_allow_total', 'inbound_http_authz_deny_total'), 'decisions', '') AS measure,
      multiIf(
        is_istio, transform({attribute:reporter}, ['source', 'waypoint'], ['source', 'gateway'], 'destination'),
        outbound OR name = 'http.client.request.duration', 'source', 'destination') AS reporter,
      {known:source_cluster} AS source_cluster,
      multiIf(is_istio, {known:source_workload_namespace}, outbound OR name = 'http.client.request.duration', own_namespace, is_http, '', splitByChar('.', client)[2]) AS source_namespace,
      multiIf(is_istio, {known:source_workload}, outbound OR name = 'http.client.request.duration', own_workload, '') AS source_workload,
      multiIf(is_istio, replaceOne({known:source_principal}, 'spiffe://', ''), outbound OR is_http, '', client) AS source_principal,
      {known:destination_cluster} AS destination_cluster,
      multiIf(is_istio, {known:destination_workload_namespace}, outbound, {attribute:dst_namespace}, name = 'http.client.request.duration', '', own_namespace) AS destination_namespace,
      multiIf(is_istio, {known:destination_workload}, outbound, dst_workload, name = 'http.client.request.duration', '', own_workload) AS destination_workload,
      multiIf(is_istio, replaceOne({known:destination_principal}, 'spiffe://', ''), outbound, {attribute:server_id}, '') AS destination_principal,
      multiIf(
        is_istio, if(startsWith(host, 'PassthroughCluster') OR startsWith(host, 'BlackHoleCluster') OR startsWith(host, 'InboundPassthrough'), '', mesh_service),
        outbound, if({attribute:dst_service} = '', '', concat({attribute:dst_service}, '.', {attribute:dst_namespace})),
        name = 'http.client.request.duration', if(isIPv4String(host) OR isIPv6String(host) OR host = 'localhost', '', mesh_service), '') AS destination_service,
      -- Where the callee is not of the mesh, a host's name is all that there is.
      position(host, '.svc') > 0 OR {known:destination_service_namespace} != '' AS in_mesh,
      if(name = 'http.client.request.duration' AND position(host, '.svc') = 0 AND position(host, '.') > 0, 'external', 'internal') AS destination_kind,
      multiIf(measure = 'connections', 'tcp', {attribute:request_protocol} = 'grpc', 'grpc', 'http') AS protocol,
      multiIf(
        is_istio, transform({attribute:connection_security_policy}, ['mutual_tls', 'none'], ['yes', 'no'], 'unknown'),
        is_http OR outbound, 'unknown',
        transform({attribute:tls}, ['true', 'no_identity', 'disabled'], ['yes', 'no', 'no'], 'unknown')) AS mtls,
      toUInt16OrZero(multiIf(is_istio, {attribute:response_code}, is_http, {attribute:http.response.status_code}, {attribute:status_code})) AS status,
      if({attribute:response_flags} = '-', '', {attribute:response_flags}) AS response_flags
    FROM (
      SELECT
        * EXCEPT (skipped),
        if(is_created, replaceOne(name, '_created', '_total'), name) AS name_without_suffix,
        -- Any application may count requests by such a name.
        if(is_linkerd AND skipped = 0 AND line_reject = '' AND name IN ('request_total', 'response_total') AND NOT has(keys, 'direction'), 1, skipped) AS skipped,
        if(tls = 'true', {attribute:client_id}, '') AS client,
        if(position(host, '.svc') > 0, substring(host, 1, position(host, '.svc') - 1), host) AS mesh_service
      FROM (
        SELECT
          *,
          endsWith(name, '_created') AS is_created,
          startsWith(name, 'istio_') AS is_istio, startsWith(name, 'http.') AS is_http, NOT is_istio AND NOT is_http AS is_linkerd,
          {attribute:direction} = 'outbound' AS outbound, {attribute:tls} AS tls,
          lower(if(is_istio, {known:destination_service}, {attribute:server.address})) AS host,
          {first:k8s.namespace.name|namespace|service.namespace} AS own_namespace,
          {first:k8s.deployment.name|k8s.statefulset.name|k8s.daemonset.name|k8s.cronjob.name|deployment|statefulset|daemonset|k8s_job|service.name} AS own_workload,
          {first:dst_deployment|dst_statefulset|dst_daemonset} AS dst_workload
        FROM ({samples})
      )
    )
  )
)
