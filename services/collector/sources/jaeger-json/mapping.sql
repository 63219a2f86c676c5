-- Traces as query APIs give them, one document or many: Jaeger's `{"data":[{"spans":[…],"processes":{…}}]}`, one such trace alone,
-- Tempo's `{"batches":[…]}` and OTLP's `{"resourceSpans":[…]}`, in one line or indented. Brought to what `otlp-traces` reads.
-- A document begins with a `{` at the beginning of a line. What is no JSON as a whole, and not indented either, is taken line
-- by line: what stands between documents harms none of them.
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, head, line_reject, trace_text, span_text, parent_text, name, kind_text, start_ns, end_ns,
  -- Whole numbers are among the texts already.
  keys, values, emptyArrayInt64() AS integers,
  -- Istio's proxies say whose they are: `sidecar~10.0.0.9~orders-7d9c5b8f6-x2x4z.shop~shop.svc.cluster.local`.
  extract({attribute:node_id}, '^[^~]*~[^~]*~([^~.]+)[.][^~]*~') AS pod,
  {attribute:istio.canonical_service} AS canonical,
  if(canonical = '', told_keys, arrayConcat(['service.name', 'k8s.namespace.name', 'k8s.deployment.name'], told_keys)) AS resource_keys,
  if(canonical = '', told_values, arrayConcat([canonical, {attribute:istio.namespace}, {workload:pod}], told_values)) AS resource_values,
  {resource}
FROM (
  SELECT
    batch, sender, cluster, evidence_cap, speaks_for, head, line_reject,
    if(js.traceID != '', js.traceID, of_trace) AS jaeger_trace,
    -- Jaeger writes ids without their leading zeros.
    multiIf(NOT is_jaeger, os.traceId, length(jaeger_trace) BETWEEN 1 AND 31, leftPad(jaeger_trace, 32, '0'), jaeger_trace) AS trace_text,
    multiIf(NOT is_jaeger, os.spanId, length(js.spanID) BETWEEN 1 AND 15, leftPad(js.spanID, 16, '0'), js.spanID) AS span_text,
    multiIf(js.parentSpanID != '', js.parentSpanID, arrayFirst(r -> r.refType = 'CHILD_OF', js.references).spanID != '', arrayFirst(r -> r.refType = 'CHILD_OF', js.references).spanID, js.references[1].spanID) AS jaeger_parent,
    multiIf(NOT is_jaeger, os.parentSpanId, length(jaeger_parent) BETWEEN 1 AND 15, leftPad(jaeger_parent, 16, '0'), jaeger_parent) AS parent_text,
    if(is_jaeger, js.operationName, os.name) AS name_sent, {path_secrets:name_sent} AS name,
    if(is_jaeger, upper(arrayFirst(tag -> tag.key = 'span.kind', js.tags).value), os.kind) AS kind_text,
    least(js.startTime, 9000000000000000) AS start_us,
    if(is_jaeger, start_us * 1000, os.startTimeUnixNano) AS start_ns, if(is_jaeger, (start_us + least(js.duration, 9000000000000000)) * 1000, os.endTimeUnixNano) AS end_ns,
    if(is_jaeger, js.tags.key, os.attributes.key) AS keys,
    -- Session ids and tokens within paths, wherever an instrumentation wrote the path.
    arrayMap(v -> {path_secrets:v}, if(is_jaeger, js.tags.value, arrayMap(v -> if(v.stringValue != '', v.stringValue, v.intValue), os.attributes.value))) AS values,
    if(js.process.serviceName != '', js.process, processes[js.processID]) AS process,
    if(is_jaeger, arrayConcat(['service.name'], process.tags.key), resource_attributes.key) AS told_keys,
    if(is_jaeger, arrayConcat([process.serviceName], process.tags.value),
      arrayMap(v -> if(v.stringValue != '', v.stringValue, v.intValue), resource_attributes.value)) AS told_values
  FROM (
    -- Step by step, so that a span's row does not carry its whole trace.
    SELECT
      batch, sender, cluster, evidence_cap, speaks_for, head, line_reject, is_jaeger, of_trace, processes, resource_attributes, jaeger_spans, c.spans AS otlp_spans
    FROM (
      SELECT
        batch, sender, cluster, evidence_cap, speaks_for, head, line_reject, is_jaeger, t.traceID AS of_trace, t.processes AS processes, t.spans AS jaeger_spans,
        b.resource.attributes AS resource_attributes, b.scopeSpans AS scopes
      FROM (
        SELECT
          batch, sender, cluster, evidence_cap, speaks_for, d.data AS jaeger, length(jaeger) > 0 AS is_jaeger,
          if(is_jaeger, [], arrayConcat(d.batches, d.resourceSpans)) AS otlp,
          multiIf(
            NOT isValidUTF8(document), 'not_utf8',
            NOT match(document, '^\\s*[{{}\\[]'), 'not_json',
            NOT isValidJSON(document), 'json_cut',
            -- A search names traces and some of their spans, without who called whom.
            length(d.traces) > 0 AND length(otlp) = 0, 'search_result',
            NOT is_jaeger AND length(otlp) = 0, 'no_spans',
            '') AS line_reject,
          if(line_reject != '', substring(document, 1, 4097), '') AS head
        FROM (
          SELECT
            *,
            JSONExtract(multiIf(
              match(document, '^\\s*\\['), concat('{{}"data":', document, '{}}'),
              -- A trace alone is a list of one.
              JSONHas(document, 'spans'), concat('{{}"data":[', document, ']{}}'),
              document), 'Tuple(
              data Array(Tuple(traceID String,
                spans Array(Tuple(traceID String, spanID String, parentSpanID String, operationName String, references Array(Tuple(refType String, spanID String)), startTime UInt64, duration UInt64,
                  tags Array(Tuple(key String, value String)), processID String, process Tuple(serviceName String, tags Array(Tuple(key String, value String))))),
                processes Map(String, Tuple(serviceName String, tags Array(Tuple(key String, value String)))))),
              batches Array(Tuple(resource Tuple(attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String)))), scopeSpans Array(Tuple(spans Array(Tuple(
                traceId String, spanId String, parentSpanId String, name String, kind String, startTimeUnixNano UInt64, endTimeUnixNano UInt64,
                attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String))))))))),
              resourceSpans Array(Tuple(resource Tuple(attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String)))), scopeSpans Array(Tuple(spans Array(Tuple(
                traceId String, spanId String, parentSpanId String, name String, kind String, startTimeUnixNano UInt64, endTimeUnixNano UInt64,
                attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String))))))))),
              traces Array(Tuple(traceID String)))') AS d
          FROM (
            SELECT
              batch, sender, cluster, evidence_cap, speaks_for,
              arrayJoin(if(isValidJSON(piece) OR match(piece, '^[{{}\\[][^\n]*\n[\\s{}}\\]"]') AND NOT isValidJSON(substringIndex(piece, '\n', 1)), [piece], splitByChar('\n', piece))) AS document
            FROM (
              SELECT *, arrayJoin(arrayMap((part, n) -> if(n = 1, part, concat('{{}', part)), splitByString('\n{{}', line), arrayEnumerate(splitByString('\n{{}', line)))) AS piece
              FROM ({chunk})
            )
          )
          WHERE match(document, '\\S')
        )
      )
      LEFT ARRAY JOIN jaeger AS t
      LEFT ARRAY JOIN otlp AS b
    )
    LEFT ARRAY JOIN scopes AS c
  )
  LEFT ARRAY JOIN jaeger_spans AS js
  LEFT ARRAY JOIN otlp_spans AS os
)
