-- From how many replicas of a caller a permission's requests came: what one that was taken over does by itself must be told from what all
-- do. Owner: collector (views), analyzer (joined calls).
-- While this runs no other process may write to the store: between the backfill and the views a fact would not be counted.

-- A replica is known by its address at the other end of the connection, which no application can choose: each sets one of 256 bits. As
-- many are set as there were replicas, or fewer where two share one. Refused requests, and those for what is not there, tell nothing.
-- Only sums by the operation will do: an edge has all replicas, whatever one of them does.
ALTER TABLE operation_usage {on_cluster} ADD COLUMN IF NOT EXISTS replicas SimpleAggregateFunction(groupBitOr, UInt256) CODEC(ZSTD(1));
ALTER TABLE operation_usage_day {on_cluster} ADD COLUMN IF NOT EXISTS replicas SimpleAggregateFunction(groupBitOr, UInt256) CODEC(ZSTD(1));
ALTER TABLE joined_call {on_cluster} ADD COLUMN IF NOT EXISTS replicas UInt256 CODEC(ZSTD(1));
ALTER TABLE joined_call_hour {on_cluster} ADD COLUMN IF NOT EXISTS replicas UInt256 CODEC(ZSTD(1));
ALTER TABLE request {on_cluster} ADD COLUMN IF NOT EXISTS replica_mark UInt256 ALIAS
  if(decision = 'denied' OR status IN (404, 405) OR grpc_status = 12 OR source_address = toIPv6('::'), toUInt256(0),
    bitShiftLeft(toUInt256(1), toUInt8(sipHash64(source_address) % 256)));

-- What a declared Pod runs: the digests of its images, so that a release can be told from a replica that changed.
ALTER TABLE declared_address {on_cluster} ADD COLUMN IF NOT EXISTS image SimpleAggregateFunction(max, String);

DROP VIEW IF EXISTS operation_usage_day_of_hour {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS operation_usage_day_of_hour {on_cluster} TO operation_usage_day AS
SELECT
  edge, toDate(hour) AS day, method, shape, path_flags, sum(requests) AS requests, sum(denied) AS denied, sum(not_found) AS not_found,
  min(first_seen) AS first_seen, max(last_seen) AS last_seen, min(mark) AS mark, groupBitOr(replicas) AS replicas, max(loaded) AS loaded
FROM operation_usage GROUP BY edge, day, method, shape, path_flags;

-- What the facts tell of before, beside what is counted of them; the rows of days come of it. Added twice it is the same. Not of joined
-- calls: whose these are is known of what is joined from now on.
INSERT INTO operation_usage (edge, hour, method, shape, path_flags, requests, denied, not_found, first_seen, last_seen, mark, replicas, loaded)
SELECT
  edge, toStartOfHour(time) AS hour, method, shape, path_flags, 0 AS requests, 0 AS denied, 0 AS not_found,
  min(time) AS first_seen, max(time) AS last_seen, min(request.mark) AS mark, groupBitOr(replica_mark) AS replicas, max(request.loaded) AS loaded
FROM request WHERE stage = 'end' GROUP BY edge, hour, method, shape, path_flags HAVING replicas != 0;

DROP VIEW IF EXISTS operation_usage_of_request {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS operation_usage_of_request {on_cluster} TO operation_usage AS
SELECT
  edge, toStartOfHour(time) AS hour, method, shape, path_flags,
  countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied,
  countIf(decision != 'denied' AND (status IN (404, 405) OR grpc_status = 12)) AS not_found,
  min(time) AS first_seen, max(time) AS last_seen, min(request.mark) AS mark, groupBitOr(replica_mark) AS replicas
FROM request WHERE stage = 'end' GROUP BY edge, hour, method, shape, path_flags;
