-- OTLP/JSON: one ExportLogsServiceRequest a line. Only the branches that are used are named; the rest is skipped while parsing.
SELECT
  sender, tenant, batch, evidence_cap, speaks_for, cluster, refused, line_reject, container, pod_namespace, pod_workload, is_name_claimed,
  l.timeUnixNano AS time_ns, l.body.stringValue AS body_text,
  if(empty(l.body.kvlistValue.values), l.attributes, l.body.kvlistValue.values) AS pairs
FROM (
  SELECT
    *,
    {resource}
  FROM (
    SELECT
      sender, tenant, batch, evidence_cap, speaks_for, cluster, refused, line_reject, r.scopeLogs AS scopes,
      r.resource.attributes.key AS resource_keys, {scalars:r.resource.attributes.value} AS resource_values
    FROM (
      SELECT
        *,
        JSONExtract(line, 'Tuple(resourceLogs Array(Tuple(
          resource Tuple(attributes {attributes}),
          scopeLogs Array(Tuple(logRecords Array(Tuple(
            timeUnixNano UInt64, body Tuple(stringValue String, kvlistValue Tuple(values {pairs})), attributes {pairs})))))))').1 AS resource_logs,
        multiIf(
          NOT isValidUTF8(line), 'not_utf8',
          NOT startsWith(line, '{') OR NOT isValidJSON(line), if(startsWith(line, '{'), 'json_cut', 'not_json'),
          length(resource_logs) = 0, 'no_log_records',
          '') AS line_reject,
        if(line_reject != '', substring(line, 1, 4097), '') AS refused
      FROM ({lines})
      WHERE line != '' AND line != '\r'
    )
    LEFT ARRAY JOIN resource_logs AS r
  )
)
LEFT ARRAY JOIN scopes AS s
LEFT ARRAY JOIN s.logRecords AS l
