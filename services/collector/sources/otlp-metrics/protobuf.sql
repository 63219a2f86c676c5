-- OTLP/protobuf: the bytes of one or more ExportMetricsServiceRequest after one another, which protobuf reads as one.
-- (opentelemetry-proto, metrics/v1/metrics.proto) The three kinds of metric become points of one shape: attributes, span, count.
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, '' AS head, '' AS line_reject, m.name AS name_text,
  r.resource.attributes.key AS resource_keys,
  arrayMap(v -> if(v.string_value != '', v.string_value, toString(v.int_value)), r.resource.attributes.value) AS resource_values,
  multiIf(length(m.sum.data_points) > 0, m.sum.aggregation_temporality, length(m.histogram.data_points) > 0, m.histogram.aggregation_temporality, m.exponential_histogram.aggregation_temporality) AS temporality,
  length(m.sum.data_points) = 0 OR m.sum.is_monotonic AS monotonic,
  point.1 AS point_keys, arrayMap(v -> if(v.1 != '', v.1, toString(v.2)), point.2) AS point_values, point.3 AS start_ns, point.4 AS time_ns, point.5 AS value, point.6 AS flags
FROM (SELECT *, {constants} FROM {requests})
ARRAY JOIN resource_metrics AS r
ARRAY JOIN r.scope_metrics AS c
ARRAY JOIN c.metrics AS m
ARRAY JOIN arrayConcat(
  arrayMap(p -> (p.attributes.key, arrayMap(v -> (v.string_value, v.int_value), p.attributes.value), p.start_time_unix_nano, p.time_unix_nano, if(p.as_int != 0, toFloat64(p.as_int), p.as_double), p.flags), m.sum.data_points),
  arrayMap(p -> (p.attributes.key, arrayMap(v -> (v.string_value, v.int_value), p.attributes.value), p.start_time_unix_nano, p.time_unix_nano, toFloat64(p.count), p.flags), m.histogram.data_points),
  arrayMap(p -> (p.attributes.key, arrayMap(v -> (v.string_value, v.int_value), p.attributes.value), p.start_time_unix_nano, p.time_unix_nano, toFloat64(p.count), p.flags), m.exponential_histogram.data_points)) AS point
