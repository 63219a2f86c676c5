-- OTLP/protobuf: the bytes of one or more ExportLogsServiceRequest after one another, which protobuf reads as one.
-- (opentelemetry-proto, collector/logs/v1/logs_service.proto and logs/v1/logs.proto)
SELECT
  batch, sender, tenant, evidence_cap, speaks_for, cluster, '' AS head, '' AS line_reject,
  r.resource.attributes AS resource_attributes, l.time_unix_nano AS time_ns, l.body AS body, l.attributes AS attributes
FROM (SELECT *, {constants} FROM {requests})
LEFT ARRAY JOIN resource_logs AS r
LEFT ARRAY JOIN r.scope_logs AS s
LEFT ARRAY JOIN s.log_records AS l
