-- OTLP/JSON: one ExportLogsServiceRequest a line. Only the branches that are used are named; the rest is skipped while parsing.
SELECT
  batch, sender, tenant, evidence_cap, speaks_for, cluster, head, line_reject,
  r.resource.attributes AS resource_attributes, l.timeUnixNano AS time_ns, l.body AS body, l.attributes AS attributes
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
    if(line_reject != '', substring(line, 1, 4097), '') AS head
  FROM ({lines})
  WHERE line != '' AND line != '\r'
)
LEFT ARRAY JOIN resource_logs AS r
LEFT ARRAY JOIN r.scopeLogs AS s
LEFT ARRAY JOIN s.logRecords AS l
