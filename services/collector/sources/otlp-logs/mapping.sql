-- A log record to the line that an access log would have: its body where that is text, or its keys (attributes, or a list as the
-- body) as JSON. `format` says which reader of lines takes it. What is none of these is an application's log, and no request.
-- Attributes and values are taken by position, since JSON and protobuf name them differently: (key, (text, number, list)).
SELECT
  batch, sender, tenant, evidence_cap, speaks_for, cluster,
  if(head != '', head, text_all) AS line, '' AS unwrap_reject,
  multiIf(
    has_keys, concat('{', if(indexOf(keys, 'start_time') = 0, concat('"start_time":"', toString(fromUnixTimestamp64Micro(toInt64(least(intDiv(time_ns, 1000), 9000000000000000)), 'UTC')), 'Z",'), ''), rendered, '}'),
    body_text) AS text_all,
  multiIf(
    record_reject != '', '',
    has_keys OR startsWith(body_text, '{'), 'istio-json',
    NOT startsWith(body_text, '['), '',
    countSubstrings(body_text, '"') = 12, 'envoy-text', 'istio-text') AS format,
  multiIf(
    line_reject != '', line_reject,
    body_text = '' AND empty(pairs), 'no_log_records',
    length(body_text) > 262144 OR length(rendered) > 262144, 'line_too_long',
    NOT isValidUTF8(body_text) OR NOT isValidUTF8(rendered), 'not_utf8',
    NOT has_keys AND NOT startsWith(body_text, '{') AND NOT startsWith(body_text, '['), 'not_an_access_log',
    container != '' AND NOT match(container, '{containers}'), 'not_a_proxy_container',
    '') AS record_reject,
  -- Envoy itself says which entry it is only where it is told to (`access_log_type`); without it every entry is an end.
  if(position(text_all, '"access_log_type"') > 0, JSONExtractString(text_all, 'access_log_type'), '') AS entry_type,
  {stage} AS stage, 0 AS attempt,
  multiIf(kubernetes_namespace != '', kubernetes_namespace, node_parts[3] != '', splitByChar('.', node_parts[3])[2], {resource:service.namespace} != '', {resource:service.namespace}, cluster_parts[2]) AS pod_namespace,
  multiIf(
    {resource:k8s.deployment.name} != '', {resource:k8s.deployment.name},
    {resource:k8s.statefulset.name} != '', {resource:k8s.statefulset.name},
    {resource:k8s.daemonset.name} != '', {resource:k8s.daemonset.name},
    {resource:k8s.cronjob.name} != '', {resource:k8s.cronjob.name},
    {resource:k8s.pod.name} != '', {workload:{resource:k8s.pod.name}},
    node_parts[3] != '', {workload:splitByChar('.', node_parts[3])[1]},
    {resource:service.name} != '', {resource:service.name},
    cluster_parts[1]) AS pod_workload
FROM (
  SELECT
    *,
    resource_attributes.1 AS resource_keys,
    arrayMap(v -> {scalar:v}, resource_attributes.2) AS resource_values,
    {resource:k8s.namespace.name} AS kubernetes_namespace, {resource:k8s.container.name} AS container,
    -- What Envoy says of itself: `sidecar~10.1.2.3~orders-7d9c5b8f6-x2x4z.shop~shop.svc.cluster.local` and `orders.shop`.
    splitByChar('~', {resource:node_name}) AS node_parts, splitByChar('.', {resource:cluster_name}) AS cluster_parts,
    body.1 AS body_text,
    if(empty(body.2.1), attributes, body.2.1) AS pairs,
    pairs.1 AS keys,
    hasAny(keys, ['start_time', 'upstream_cluster', 'response_code', 'response_flags', 'downstream_local_address']) AS has_keys,
    if(has_keys, arrayStringConcat(arrayMap(p -> concat(toJSONString(p.1), ':', if(empty(p.2.3.1), toJSONString({scalar:p.2}),
      -- Claims: a list is told as its JSON text, and "-" is "not told".
      concat('{', arrayStringConcat(arrayMap(c -> concat(toJSONString(c.1), ':',
        if(startsWith(c.2.1, '[') AND isValidJSON(c.2.1), c.2.1, toJSONString(if(c.2.1 = '-', '', {scalar:c.2})))), p.2.3.1), ','), '}'))), pairs), ','), '') AS rendered
  FROM ({records})
)
