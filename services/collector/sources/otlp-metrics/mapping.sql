-- A point of OTLP to a sample: names as Prometheus has them, resource and point attributes as labels (the point's first), and the
-- resource as the program that counts.
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, line_reject, if(head != '', head, concat(name, ' of ', instance)) AS line, name,
  toUInt32(line_reject = '' AND NOT (known AND monotonic AND temporality IN (1, 2) AND bitAnd(flags, 1) = 0)) AS skipped,
  if(known, arrayConcat(point_keys, arrayFilter(k -> NOT has(point_keys, k), resource_keys)), emptyArrayString()) AS keys,
  if(known, arrayConcat(point_values, arrayFilter((v, k) -> NOT has(point_keys, k), resource_values, resource_keys)), emptyArrayString()) AS values,
  {proxy:resource_values[indexOf(resource_keys, 'service.instance.id')]} AS proxy,
  multiIf(proxy != '', proxy, {resource:k8s.pod.name} != '', {resource:k8s.pod.name}, {resource:host.name}) AS instance,
  arrayStringConcat(arrayMap((k, v) -> concat(k, '=', v), resource_keys, resource_values), '\0') AS target_text,
  value,
  fromUnixTimestamp64Milli(toInt64(least(intDiv(time_ns, 1000000), 4000000000000)), 'UTC') AS time,
  -- A start that is the time itself says that the start is unknown (OpenTelemetry, metrics data model): one that is earlier within the
  -- same millisecond must not look so.
  fromUnixTimestamp64Milli(toInt64(least(intDiv(start_ns, 1000000), 4000000000000)) - toInt64(start_ns >= 1000000 AND start_ns < time_ns AND intDiv(start_ns, 1000000) = intDiv(time_ns, 1000000)), 'UTC') AS start,
  toUInt8(temporality = 1) AS delta
FROM (
  SELECT
    *,
    -- The Collector takes `_total` off names that it read from Prometheus' format, unless it is told to leave them.
    if(name_text IN ('istio_requests', 'istio_tcp_connections_opened', 'request', 'response', 'inbound_http_authz_allow', 'inbound_http_authz_deny'), concat(name_text, '_total'), name_text) AS name,
    name IN ({metrics}) AS known
  FROM ({points})
)
