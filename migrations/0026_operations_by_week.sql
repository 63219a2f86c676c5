-- In which hours of a week an edge had an operation, by its hash: whether one of two windows has what the other has not is read
-- from here, exactly, whatever hours these begin and end with. Owner: collector (views).
-- While this runs no other process may write to the store: what is counted before is copied, and from then on a view counts.

-- `operation` is the hash of method and shape: telling a million texts apart was most of what a comparison cost; texts are
-- read for what is shown. `hours` has a bit for
-- each of the 168 hours from Monday, 00:00 UTC on. ORDER BY: grouped as it is stored.
CREATE TABLE IF NOT EXISTS operation_week {on_cluster} (
  edge FixedString(16), operation FixedString(16), week Date CODEC(Delta(2), ZSTD(1)),
  hours SimpleAggregateFunction(groupBitOr, UInt256) CODEC(ZSTD(1)), requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  method SimpleAggregateFunction(any, LowCardinality(String)), shape SimpleAggregateFunction(any, String) CODEC(ZSTD(1)),
  loaded SimpleAggregateFunction(max, Date) DEFAULT today() CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(week) ORDER BY (edge, operation, week)
TTL loaded + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- Only into an empty table, and in one block, so that a migration that was cut off, or is run by two processes, counts nothing twice.
INSERT INTO operation_week (edge, operation, week, method, shape, hours, requests, loaded)
SELECT
  edge, sipHash128(method, shape) AS operation, toMonday(hour) AS week, method, shape,
  groupBitOr(bitShiftLeft(toUInt256(1), intDiv(toUnixTimestamp(hour) + 259200, 3600) % 168)) AS hours, sum(u.requests + u.denied) AS requests, max(loaded) AS loaded
FROM operation_usage AS u WHERE (SELECT count() FROM operation_week) = 0 AND u.requests + u.denied > 0 GROUP BY edge, method, shape, week
SETTINGS min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0;

-- Hangs on the hours, not on the requests: it groups what is grouped already. Unix time begins on a Thursday, 259,200 seconds into a week.
CREATE MATERIALIZED VIEW IF NOT EXISTS operation_week_of_hour {on_cluster} TO operation_week AS
SELECT
  edge, sipHash128(method, shape) AS operation, toMonday(hour) AS week, method, shape,
  groupBitOr(bitShiftLeft(toUInt256(1), intDiv(toUnixTimestamp(hour) + 259200, 3600) % 168)) AS hours, sum(u.requests + u.denied) AS requests
FROM operation_usage AS u WHERE u.requests + u.denied > 0 GROUP BY edge, method, shape, week;
