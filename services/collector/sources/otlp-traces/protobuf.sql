-- OTLP/protobuf: the bytes of one or more ExportTraceServiceRequest after one another, which protobuf reads as one.
-- (opentelemetry-proto, collector/trace/v1/trace_service.proto and trace/v1/trace.proto)
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, '' AS head, '' AS line_reject,
  r.resource.attributes.key AS resource_keys,
  arrayMap(v -> if(v.string_value != '', v.string_value, toString(v.int_value)), r.resource.attributes.value) AS resource_values,
  s.trace_id AS trace_text, s.span_id AS span_text, s.parent_span_id AS parent_text, s.name AS name, toString(s.kind) AS kind_text,
  s.start_time_unix_nano AS start_ns, s.end_time_unix_nano AS end_ns,
  s.attributes.key AS keys, arrayMap(v -> if(v.string_value != '', v.string_value, toString(v.int_value)), s.attributes.value) AS values
FROM (SELECT *, {constants} FROM {requests})
LEFT ARRAY JOIN resource_spans AS r
LEFT ARRAY JOIN r.scope_spans AS c
LEFT ARRAY JOIN c.spans AS s
