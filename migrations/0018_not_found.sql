-- Requests that were answered that there is nothing: they teach nothing, and that must be known when the facts are gone. Owner: collector.
-- While this runs no other process may write to the store: between the old view and the new one a fact would not be counted.

-- `not_found`: those of `requests` (so they were not refused) that were answered 404 or 405, or by gRPC as UNIMPLEMENTED: no such path, no
-- such method. 410 and gRPC's NOT_FOUND are answers of an operation that is there. What was counted before this has none.
ALTER TABLE operation_usage {on_cluster} ADD COLUMN IF NOT EXISTS not_found SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1));
ALTER TABLE span_call_slot {on_cluster} ADD COLUMN IF NOT EXISTS not_found UInt64 CODEC(T64, ZSTD(1));
ALTER TABLE span_call {on_cluster} ADD COLUMN IF NOT EXISTS not_found UInt64 CODEC(T64, ZSTD(1));

DROP VIEW IF EXISTS operation_usage_of_request {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS operation_usage_of_request {on_cluster} TO operation_usage AS
SELECT
  edge, toStartOfHour(time) AS hour, method, shape, path_flags,
  countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied,
  countIf(decision != 'denied' AND (status IN (404, 405) OR grpc_status = 12)) AS not_found,
  min(time) AS first_seen, max(time) AS last_seen, min(request.mark) AS mark
FROM request WHERE stage = 'end' GROUP BY edge, hour, method, shape, path_flags;
