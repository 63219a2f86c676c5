-- OTLP/JSON: one ExportMetricsServiceRequest a line. Only the branches that are used are named; the rest is skipped while parsing.
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, head, line_reject, m.name AS name_text,
  r.resource.attributes.key AS resource_keys,
  arrayMap(v -> if(v.stringValue != '', v.stringValue, v.intValue), r.resource.attributes.value) AS resource_values,
  transform(multiIf(length(m.sum.dataPoints) > 0, m.sum.aggregationTemporality, length(m.histogram.dataPoints) > 0, m.histogram.aggregationTemporality, m.exponentialHistogram.aggregationTemporality),
    ['1', 'AGGREGATION_TEMPORALITY_DELTA', '2', 'AGGREGATION_TEMPORALITY_CUMULATIVE'], [1, 1, 2, 2], 0) AS temporality,
  length(m.sum.dataPoints) = 0 OR m.sum.isMonotonic AS monotonic,
  point.1 AS point_keys, arrayMap(v -> if(v.1 != '', v.1, v.2), point.2) AS point_values, point.3 AS start_ns, point.4 AS time_ns, point.5 AS value, point.6 AS flags
FROM (
  SELECT
    batch, sender, cluster, evidence_cap, speaks_for,
    JSONExtract(line, 'Tuple(resourceMetrics Array(Tuple(
      resource Tuple(attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String)))),
      scopeMetrics Array(Tuple(metrics Array(Tuple(
        name String,
        sum Tuple(dataPoints Array(Tuple(attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String))), startTimeUnixNano UInt64, timeUnixNano UInt64, asDouble Float64, asInt Int64, flags UInt32)), aggregationTemporality String, isMonotonic Bool),
        histogram Tuple(dataPoints Array(Tuple(attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String))), startTimeUnixNano UInt64, timeUnixNano UInt64, count UInt64, flags UInt32)), aggregationTemporality String),
        exponentialHistogram Tuple(dataPoints Array(Tuple(attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String))), startTimeUnixNano UInt64, timeUnixNano UInt64, count UInt64, flags UInt32)), aggregationTemporality String)
      )))))))').1 AS resource_metrics,
    multiIf(
      NOT isValidUTF8(line), 'not_utf8',
      NOT startsWith(line, '{{}') OR NOT isValidJSON(line), if(startsWith(line, '{{}'), 'json_cut', 'not_json'),
      length(resource_metrics) = 0, 'no_metrics',
      '') AS line_reject,
    if(line_reject != '', substring(line, 1, 4097), '') AS head
  FROM ({lines})
  WHERE line != '' AND line != '\r'
)
LEFT ARRAY JOIN resource_metrics AS r
LEFT ARRAY JOIN r.scopeMetrics AS c
LEFT ARRAY JOIN c.metrics AS m
LEFT ARRAY JOIN arrayConcat(
  arrayMap(p -> (p.attributes.key, arrayMap(v -> (v.stringValue, v.intValue), p.attributes.value), p.startTimeUnixNano, p.timeUnixNano, if(p.asInt != 0, toFloat64(p.asInt), p.asDouble), p.flags), m.sum.dataPoints),
  arrayMap(p -> (p.attributes.key, arrayMap(v -> (v.stringValue, v.intValue), p.attributes.value), p.startTimeUnixNano, p.timeUnixNano, toFloat64(p.count), p.flags), m.histogram.dataPoints),
  arrayMap(p -> (p.attributes.key, arrayMap(v -> (v.stringValue, v.intValue), p.attributes.value), p.startTimeUnixNano, p.timeUnixNano, toFloat64(p.count), p.flags), m.exponentialHistogram.dataPoints)) AS point
