-- OTLP/JSON: one ExportTraceServiceRequest a line. Only the branches that are used are named; the rest is skipped while parsing.
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, head, line_reject, service, namespace, workload,
  s.traceId AS trace_text, s.spanId AS span_text, s.parentSpanId AS parent_text, s.name AS name, s.kind AS kind_text,
  s.startTimeUnixNano AS start_ns, s.endTimeUnixNano AS end_ns,
  s.attributes.key AS keys, s.attributes.value.stringValue AS values, s.attributes.value.intValue AS integers
FROM (
  SELECT
    batch, sender, cluster, evidence_cap, speaks_for, head, line_reject, r.scopeSpans AS scopes,
    r.resource.attributes.key AS resource_keys, r.resource.attributes.value.stringValue AS resource_values,
    {resource}
  FROM (
    SELECT
      batch, sender, cluster, evidence_cap, speaks_for,
      JSONExtract(line, 'Tuple(resourceSpans Array(Tuple(
        resource Tuple(attributes Array(Tuple(key LowCardinality(String), value Tuple(stringValue String, intValue String)))),
        scopeSpans Array(Tuple(spans Array(Tuple(
          traceId String, spanId String, parentSpanId String, name String, kind String, startTimeUnixNano UInt64, endTimeUnixNano UInt64,
          attributes Array(Tuple(key LowCardinality(String), value Tuple(stringValue String, intValue String))))))))))').1 AS resource_spans,
      multiIf(
        NOT isValidUTF8(line), 'not_utf8',
        NOT startsWith(line, '{') OR NOT isValidJSON(line), if(startsWith(line, '{'), 'json_cut', 'not_json'),
        length(resource_spans) = 0, 'no_spans',
        '') AS line_reject,
      if(line_reject != '', substring(line, 1, 4097), '') AS head
    FROM ({lines})
    WHERE line != '' AND line != '\r'
  )
  LEFT ARRAY JOIN resource_spans AS r
)
LEFT ARRAY JOIN scopes AS c
LEFT ARRAY JOIN c.spans AS s
