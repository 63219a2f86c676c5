-- OTLP/protobuf: the bytes of one or more ExportTraceServiceRequest after one another, which protobuf reads as one.
-- (opentelemetry-proto, collector/trace/v1/trace_service.proto and trace/v1/trace.proto)
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, '' AS head, '' AS line_reject, service, namespace, workload,
  s.trace_id AS trace_text, s.span_id AS span_text, s.parent_span_id AS parent_text, s.name AS name, toString(s.kind) AS kind_text,
  s.start_time_unix_nano AS start_ns, s.end_time_unix_nano AS end_ns,
  s.attributes.key AS keys, s.attributes.value.string_value AS values, s.attributes.value.int_value AS integers
FROM (
  SELECT
    batch, sender, cluster, evidence_cap, speaks_for, r.scope_spans AS scopes,
    r.resource.attributes.key AS resource_keys, r.resource.attributes.value.string_value AS resource_values,
    {resource}
  FROM (SELECT *, {constants} FROM {requests})
  LEFT ARRAY JOIN resource_spans AS r
)
LEFT ARRAY JOIN scopes AS c
LEFT ARRAY JOIN c.spans AS s
