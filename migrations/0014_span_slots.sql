-- Spans are paired by slots of two seconds, for a busy minute takes longer to pair than a call may take to be seen. A minute's calls
-- are the sums of its slots' calls. Owner: analyzer. A slot is remembered for some days: when a span comes later than that, all
-- slots of its minute are paired anew. PARTITION BY the day of writing, so that a day goes as a whole.

-- How many spans each slot had when it was last paired. `is_settled`: its parents were looked for in the whole day before it.
-- ORDER BY: one row a slot, the last one wins.
CREATE TABLE IF NOT EXISTS span_slot_paired {on_cluster} (
  slot DateTime('UTC') CODEC(Delta(4), ZSTD(1)), spans UInt64 CODEC(T64, ZSTD(1)), is_settled Bool, version UInt64 CODEC(ZSTD(1)), written Date DEFAULT today()
) ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY written ORDER BY slot TTL written + INTERVAL 4 DAY SETTINGS ttl_only_drop_parts = 1;

-- Calls found in a slot's spans. A job writes the whole slot anew, as it does with a minute of span_call. ORDER BY: a job reads the
-- slots of a minute, and replaces some.
CREATE TABLE IF NOT EXISTS span_call_slot {on_cluster} (
  slot DateTime('UTC') CODEC(Delta(4), ZSTD(1)), cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String), unpaired LowCardinality(String),
  protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3), method LowCardinality(String), shape String CODEC(ZSTD(1)), path_flags UInt16,
  requests UInt64 CODEC(T64, ZSTD(1)), first_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)), last_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)),
  version UInt64 CODEC(ZSTD(1)), written Date DEFAULT today()
) ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY written
ORDER BY (slot, destination_namespace, destination_workload, source_namespace, source_workload, method, shape, cluster, source_cluster, unpaired, protocol, path_flags)
TTL written + INTERVAL 4 DAY SETTINGS ttl_only_drop_parts = 1;
