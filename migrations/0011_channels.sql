-- One and the same request may be told by several channels: a file, Envoy's access log service, OpenTelemetry, Kafka. The channel
-- (format and sender) becomes part of what an edge is, so that they do not add up, and each edge keeps a mark by which the graph
-- sees that two channels tell of the same requests. Owner: collector (views).
-- While this runs no other process may write to the store: between the old views and the new ones a fact would not be counted.

DROP VIEW IF EXISTS edge_usage_day_of_hour {on_cluster};
DROP VIEW IF EXISTS edge_usage_hour_of_operation {on_cluster};
DROP VIEW IF EXISTS operation_usage_of_request {on_cluster};
DROP VIEW IF EXISTS edge_of_request {on_cluster};
DROP VIEW IF EXISTS request_of_parsed {on_cluster};

-- At its start nothing has been decided of a request.
ALTER TABLE parsed_request {on_cluster} MODIFY COLUMN decision Enum8('allowed' = 0, 'denied' = 1, 'would_deny' = 2, 'undecided' = 3);
ALTER TABLE request {on_cluster} MODIFY COLUMN decision Enum8('allowed' = 0, 'denied' = 1, 'would_deny' = 2, 'undecided' = 3);

-- A gateway's line names the service behind it; the workload, principal and address are the gateway's own then.
-- `mark` tells requests apart by what no application chooses freely: the millisecond, and the two ends of the connection. Whoever
-- told of it, and in whatever format, it is the same number (53 bits, which JSON keeps). Where a format tells no port, the path
-- helps. Rows that were counted before have the edges of before, no channel and the mark 0.
ALTER TABLE request {on_cluster}
  MODIFY COLUMN callee_address IPv6 ALIAS multiIf(
    reporter = 'gateway' AND destination_service = '', destination_address,
    destination_workload != '' OR destination_principal != '' OR destination_service != '' AND reporter != 'gateway', toIPv6('::'),
    destination_address),
  ADD COLUMN IF NOT EXISTS mark UInt64 ALIAS bitShiftRight(cityHash64(
    toUnixTimestamp64Milli(time), source_address, source_port, destination_address, workload_port, if(source_port = 0, path, '')), 11),
  MODIFY COLUMN edge FixedString(16) MATERIALIZED sipHash128(
    source_format, sender, cluster, destination_namespace, destination_workload, destination_service, destination_principal, callee_address,
    toInt8(destination_kind), source_cluster, source_namespace, source_workload, source_principal, caller_address, toInt8(source_evidence),
    toInt8(reporter), toInt8(enforcement_point), service_port, workload_port, toInt8(protocol), toInt8(mtls)) CODEC(ZSTD(1));

ALTER TABLE edge {on_cluster}
  ADD COLUMN IF NOT EXISTS source_format LowCardinality(String), ADD COLUMN IF NOT EXISTS sender LowCardinality(String),
  ADD COLUMN IF NOT EXISTS enforcement_point Enum8(
    'none' = 0, 'sidecar' = 1, 'ingress' = 2, 'egress' = 3, 'transit' = 4, 'waypoint' = 5, 'node' = 6, 'edge' = 7, 'gateway' = 8);
ALTER TABLE operation_usage {on_cluster} ADD COLUMN IF NOT EXISTS mark SimpleAggregateFunction(min, UInt64) CODEC(ZSTD(1));
ALTER TABLE edge_usage_hour {on_cluster} ADD COLUMN IF NOT EXISTS mark SimpleAggregateFunction(min, UInt64) CODEC(ZSTD(1));
-- `hours`: a bit for each hour of the day in which the edge was used.
ALTER TABLE edge_usage_day {on_cluster}
  ADD COLUMN IF NOT EXISTS mark SimpleAggregateFunction(min, UInt64) CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS hours SimpleAggregateFunction(groupBitOr, UInt32) CODEC(ZSTD(1));

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_usage_day_of_hour {on_cluster} TO edge_usage_day AS
SELECT
  toDate(hour) AS day, edge, sum(requests) AS requests, sum(denied) AS denied, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
  min(mark) AS mark, groupBitOr(bitShiftLeft(toUInt32(1), toHour(hour))) AS hours
FROM edge_usage_hour GROUP BY day, edge;

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_usage_hour_of_operation {on_cluster} TO edge_usage_hour AS
SELECT
  hour, edge, sum(requests) AS requests, sum(denied) AS denied, min(first_seen) AS first_seen, max(last_seen) AS last_seen, min(mark) AS mark
FROM operation_usage GROUP BY hour, edge;

CREATE MATERIALIZED VIEW IF NOT EXISTS operation_usage_of_request {on_cluster} TO operation_usage AS
SELECT
  edge, toStartOfHour(time) AS hour, method, shape, path_flags,
  countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied, min(time) AS first_seen, max(time) AS last_seen,
  min(request.mark) AS mark
FROM request WHERE stage = 'end' GROUP BY edge, hour, method, shape, path_flags;

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_of_request {on_cluster} TO edge AS
SELECT
  edge, cluster, destination_namespace, destination_workload, destination_service, destination_principal, callee_address AS destination_address,
  destination_kind, source_cluster, source_namespace, source_workload, source_principal, caller_address AS source_address, source_evidence, reporter,
  service_port, workload_port, protocol, mtls, source_format, sender, enforcement_point
FROM request LIMIT 1 BY edge;

CREATE MATERIALIZED VIEW IF NOT EXISTS request_of_parsed {on_cluster} TO request AS
SELECT * EXCEPT (reject_reason, line, batch, evidence_cap, speaks_for, reporter_namespace, reporter_workload)
FROM parsed_request WHERE reject_reason = '';
