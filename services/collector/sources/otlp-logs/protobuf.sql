-- OTLP/protobuf: the bytes of one or more ExportLogsServiceRequest after one another, which protobuf reads as one.
-- (opentelemetry-proto, collector/logs/v1/logs_service.proto and logs/v1/logs.proto)
SELECT
  sender, tenant, batch, evidence_cap, speaks_for, cluster, '' AS refused, '' AS line_reject, container, pod_namespace, pod_workload, is_name_claimed,
  l.time_unix_nano AS time_ns, l.body.string_value AS body_text,
  if(empty(l.body.kvlist_value.values), l.attributes, l.body.kvlist_value.values) AS pairs
FROM (
  SELECT
    *,
    {resource}
  FROM (
    SELECT
      sender, tenant, batch, evidence_cap, speaks_for, cluster, r.scope_logs AS scopes,
      r.resource.attributes.key AS resource_keys, {scalars:r.resource.attributes.value} AS resource_values
    FROM (SELECT *, {constants} FROM {requests})
    LEFT ARRAY JOIN resource_logs AS r
  )
)
LEFT ARRAY JOIN scopes AS s
LEFT ARRAY JOIN s.log_records AS l
