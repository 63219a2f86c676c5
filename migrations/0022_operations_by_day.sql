-- Usage by operation and day, as there is by edge and day: a window's whole days are read from here, its ends by the hour, so that a
-- policy of a month is replayed on as many rows as each of its operations has days, and not hours. Owner: collector (views).
-- While this runs no other process may write to the store: what is counted before is copied, and from then on a view counts.

-- ORDER BY: as operation_usage: "which operations of these edges".
CREATE TABLE IF NOT EXISTS operation_usage_day {on_cluster} (
  edge FixedString(16), day Date CODEC(Delta(2), ZSTD(1)),
  method LowCardinality(String), shape String CODEC(ZSTD(1)), path_flags UInt16,
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  not_found SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  mark SimpleAggregateFunction(min, UInt64) CODEC(ZSTD(1)), loaded SimpleAggregateFunction(max, Date) DEFAULT today() CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day) ORDER BY (edge, method, shape, day, path_flags)
TTL loaded + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- Only into an empty table, and in one block, so that a migration that was cut off, or is run by two processes, counts nothing twice.
INSERT INTO operation_usage_day (edge, day, method, shape, path_flags, requests, denied, not_found, first_seen, last_seen, mark, loaded)
SELECT
  edge, toDate(hour) AS day, method, shape, path_flags, sum(requests) AS requests, sum(denied) AS denied, sum(not_found) AS not_found,
  min(first_seen) AS first_seen, max(last_seen) AS last_seen, min(mark) AS mark, max(loaded) AS loaded
FROM operation_usage WHERE (SELECT count() FROM operation_usage_day) = 0 GROUP BY edge, day, method, shape, path_flags
SETTINGS min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0;

-- Hangs on the hours, not on the requests: it groups what is grouped already.
CREATE MATERIALIZED VIEW IF NOT EXISTS operation_usage_day_of_hour {on_cluster} TO operation_usage_day AS
SELECT
  edge, toDate(hour) AS day, method, shape, path_flags, sum(requests) AS requests, sum(denied) AS denied, sum(not_found) AS not_found,
  min(first_seen) AS first_seen, max(last_seen) AS last_seen, min(mark) AS mark
FROM operation_usage GROUP BY edge, day, method, shape, path_flags;
