-- Prometheus remote write 1.0: one or more WriteRequest after one another. (prometheus/prompb, remote.proto and types.proto)
-- A staleness marker is a value that is no number: it tells nothing of the counter.
SELECT
  * EXCEPT (all_keys, all_values, known),
  if(known, all_keys, emptyArrayString()) AS keys, if(known, all_values, emptyArrayString()) AS values,
  {proxy:values[indexOf(keys, 'instance')]} AS instance,
  concat({attribute:job}, ' ', {attribute:instance}, ' ', {attribute:pod}, ' ', {first:__replica__|prometheus_replica|replica}, ' ', {first:prometheus}) AS target_text,
  '' AS line_reject, concat(name, ' of ', instance) AS line, toDateTime64(0, 3, 'UTC') AS start, 0 AS delta
FROM (
  SELECT
    batch, sender, cluster, evidence_cap, speaks_for,
    t.labels.name AS all_keys, t.labels.value AS all_values,
    all_values[indexOf(all_keys, '__name__')] AS name,
    name IN ({metrics}) AND reinterpretAsUInt64(s.value) != 0x7ff0000000000002 AS known, toUInt32(NOT known) AS skipped,
    s.value AS value,
    fromUnixTimestamp64Milli(least(greatest(s.timestamp, 0), 4000000000000), 'UTC') AS time
  FROM (SELECT *, {constants} FROM {requests})
  ARRAY JOIN timeseries AS t
  ARRAY JOIN t.samples AS s
)
