-- Spans of traces, narrow, and the service calls that are found by pairing them. Owner: collector (spans), analyzer (calls).

-- ORDER BY minute: a pairing job reads one minute of children and the minutes around it. Ids are kept as keyed hashes of
-- (trace, span): all that pairing needs, at half the bytes. TTL: once paired, a span is not needed; late ones come within days.
CREATE TABLE IF NOT EXISTS span {on_cluster} (
  time DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)), span_key UInt64 CODEC(NONE), parent_key UInt64 CODEC(ZSTD(1)), duration_us UInt64 CODEC(T64, ZSTD(1)),
  sender LowCardinality(String), cluster LowCardinality(String), namespace LowCardinality(String), service LowCardinality(String), workload LowCardinality(String),
  kind Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5),
  protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3), method LowCardinality(String),
  path String CODEC(ZSTD(1)), path_flags UInt16, path_rank UInt8, status UInt16 CODEC(T64, ZSTD(1)), is_database Bool,
  loaded Date DEFAULT today()
) ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(time) ORDER BY (toStartOfMinute(time), span_key) TTL loaded + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

CREATE TABLE IF NOT EXISTS parsed_span {on_cluster} AS span ENGINE = Null;
ALTER TABLE parsed_span {on_cluster}
  ADD COLUMN IF NOT EXISTS reject_reason LowCardinality(String), ADD COLUMN IF NOT EXISTS line String, ADD COLUMN IF NOT EXISTS batch LowCardinality(String);

CREATE MATERIALIZED VIEW IF NOT EXISTS span_of_parsed {on_cluster} TO span AS
SELECT * EXCEPT (reject_reason, line, batch) FROM parsed_span WHERE reject_reason = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS rejected_line_of_span {on_cluster} TO rejected_line AS
SELECT
  'otlp-traces' AS source_format, sender, cluster, batch, reject_reason AS reason,
  substring(replaceRegexpAll(replaceRegexpAll(toValidUTF8(substring(line, 1, 4096)),
    '\\?[^" ]*', '?<query>'),
    '\\beyJ[A-Za-z0-9_-]{5,}(\\.[A-Za-z0-9_-]*){0,2}|\\b[A-Za-z0-9+/_-]{48,}={0,2}', '<redacted>'), 1, 512) AS line
FROM parsed_span WHERE reject_reason != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS ingest_batch_of_span {on_cluster} TO ingest_batch AS
SELECT
  batch, 'otlp-traces' AS source_format, sender, cluster, countIf(reject_reason = '') AS accepted, countIf(reject_reason != '') AS rejected,
  minIf(time, reject_reason = '') AS first_time, maxIf(time, reject_reason = '') AS last_time, now() AS loaded
FROM parsed_span GROUP BY batch, sender, cluster;

-- How many spans each minute has: a minute whose count differs from the one that was last paired is paired anew.
-- ORDER BY: the minute is all there is to ask for.
CREATE TABLE IF NOT EXISTS span_minute {on_cluster} (minute DateTime('UTC'), spans SimpleAggregateFunction(sum, UInt64))
ENGINE = {engine:AggregatingMergeTree} ORDER BY minute SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS span_minute_of_span {on_cluster} TO span_minute AS
SELECT toStartOfMinute(time) AS minute, count() AS spans FROM span GROUP BY minute;

-- ORDER BY: one row a minute, the last count wins.
CREATE TABLE IF NOT EXISTS span_minute_paired {on_cluster} (minute DateTime('UTC'), spans UInt64, version UInt64)
ENGINE = {engine:ReplacingMergeTree}(version) ORDER BY minute;

-- Calls found in a minute's spans. A job writes the whole minute anew: calls that are no longer there become zero, so a job
-- that is repeated or killed does no harm. ORDER BY: minute first, for a job reads and replaces one. `unpaired`: '' for a call, 'root' or 'unpaired' where no caller is known.
CREATE TABLE IF NOT EXISTS span_call {on_cluster} (
  minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)), cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String), unpaired LowCardinality(String),
  protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3), method LowCardinality(String), shape String CODEC(ZSTD(1)), path_flags UInt16,
  requests UInt64 CODEC(T64, ZSTD(1)), first_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)), last_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)), version UInt64 CODEC(ZSTD(1))
) ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, destination_namespace, destination_workload, source_namespace, source_workload, method, shape, cluster, source_cluster, unpaired, protocol, path_flags);
