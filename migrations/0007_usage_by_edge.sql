-- Rollups by the edge's id instead of its eighteen columns: grouping, sorting and writing those for every hour and operation was
-- a third of what a line costs. What an edge is stands once in `edge`; usage refers to it. Owner: collector (views).
-- While this runs no other process may write to the store: between the old views and the new ones a fact would not be counted.

DROP VIEW IF EXISTS edge_day_of_edge {on_cluster};
DROP VIEW IF EXISTS edge_hour_of_operation {on_cluster};
DROP VIEW IF EXISTS operation_hour_of_request {on_cluster};

-- The id is a 128-bit SipHash of all that tells one edge from another, so no two edges meet by chance or by design.
-- Addresses are part of it only where nothing better names an end: a private one as it is, a public one as its /16 (IPv6: /32).
ALTER TABLE request {on_cluster}
  ADD COLUMN IF NOT EXISTS caller_address IPv6 ALIAS multiIf(
    source_workload != '' OR source_principal != '', toIPv6('::'),
    isIPAddressInRange(toString(source_address), '::ffff:10.0.0.0/104') OR isIPAddressInRange(toString(source_address), '::ffff:172.16.0.0/108')
      OR isIPAddressInRange(toString(source_address), '::ffff:192.168.0.0/112') OR isIPAddressInRange(toString(source_address), '::ffff:127.0.0.0/104')
      OR isIPAddressInRange(toString(source_address), '::ffff:100.64.0.0/106') OR isIPAddressInRange(toString(source_address), 'fc00::/7'), source_address,
    isIPAddressInRange(toString(source_address), '::ffff:0.0.0.0/96'), tupleElement(IPv6CIDRToRange(source_address, 112), 1),
    tupleElement(IPv6CIDRToRange(source_address, 32), 1)),
  ADD COLUMN IF NOT EXISTS callee_address IPv6 ALIAS
    if(destination_workload != '' OR destination_service != '' OR destination_principal != '', toIPv6('::'), destination_address),
  ADD COLUMN IF NOT EXISTS edge FixedString(16) MATERIALIZED sipHash128(
    cluster, destination_namespace, destination_workload, destination_service, destination_principal, callee_address, toInt8(destination_kind),
    source_cluster, source_namespace, source_workload, source_principal, caller_address, toInt8(source_evidence), toInt8(reporter),
    service_port, workload_port, toInt8(protocol), toInt8(mtls)) CODEC(ZSTD(1));

-- What each edge is. ORDER BY: looked up by its id. No TTL, as for the usage. Rows of one id are alike, so any of them will do.
CREATE TABLE IF NOT EXISTS edge {on_cluster} (
  edge FixedString(16),
  cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_service LowCardinality(String), destination_principal LowCardinality(String), destination_address IPv6,
  destination_kind Enum8('internal' = 0, 'external' = 1),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String),
  source_principal LowCardinality(String), source_address IPv6,
  source_evidence Enum8('none' = 0, 'claimed' = 1, 'address' = 2, 'joined' = 3, 'verified' = 4),
  reporter Enum8('flow' = 0, 'span' = 1, 'source' = 2, 'gateway' = 3, 'destination' = 4),
  service_port UInt16, workload_port UInt16, protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3),
  mtls Enum8('unknown' = 0, 'no' = 1, 'yes' = 2)
) ENGINE = {engine:ReplacingMergeTree} ORDER BY edge
SETTINGS {dedup};

-- Who used which operation, by the hour: `shape` is the path with typed segments replaced, so ids do not multiply rows.
-- A request counts once, by its end: its start, and what a long stream reports meanwhile, are of the same request.
-- `requests` are those that were served; refused ones are counted apart, for they teach nothing.
-- ORDER BY: the question is "which operations of these edges". No TTL: a month-end job must be seen a year later.
CREATE TABLE IF NOT EXISTS operation_usage {on_cluster} (
  edge FixedString(16), hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
  method LowCardinality(String), shape String CODEC(ZSTD(1)), path_flags UInt16,
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(hour) ORDER BY (edge, method, shape, hour, path_flags)
SETTINGS {dedup};

-- The same without operations: the graph. By the hour for a window's ends, by the day for what is between, so that a month costs
-- what a day does. ORDER BY: time first, for a graph asks for all edges of a window.
CREATE TABLE IF NOT EXISTS edge_usage_hour {on_cluster} (
  hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)), edge FixedString(16),
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(hour) ORDER BY (hour, edge)
SETTINGS {dedup};

-- ORDER BY: as by the hour, time first.
CREATE TABLE IF NOT EXISTS edge_usage_day {on_cluster} (
  day Date CODEC(ZSTD(1)), edge FixedString(16),
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day) ORDER BY (day, edge)
SETTINGS {dedup};

-- Hang on the operations, not on the requests: they group what is grouped already.
CREATE MATERIALIZED VIEW IF NOT EXISTS edge_usage_hour_of_operation {on_cluster} TO edge_usage_hour AS
SELECT hour, edge, sum(requests) AS requests, sum(denied) AS denied, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM operation_usage GROUP BY hour, edge;

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_usage_day_of_hour {on_cluster} TO edge_usage_day AS
SELECT toDate(hour) AS day, edge, sum(requests) AS requests, sum(denied) AS denied, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM edge_usage_hour GROUP BY day, edge;

-- What was counted before, under its edges' ids; only into empty tables, so that a migration that was cut off, or is run by two
-- processes, counts nothing twice. One block, so that it is there wholly or not at all.
INSERT INTO edge
SELECT
  sipHash128(
    cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, toInt8(destination_kind),
    source_cluster, source_namespace, source_workload, source_principal, source_address, toInt8(source_evidence), toInt8(reporter),
    service_port, workload_port, toInt8(protocol), toInt8(mtls)) AS edge,
  cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, destination_kind,
  source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence, reporter, service_port, workload_port, protocol, mtls
FROM operation_hour LIMIT 1 BY edge
SETTINGS min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0;

INSERT INTO operation_usage
SELECT
  sipHash128(
    cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, toInt8(destination_kind),
    source_cluster, source_namespace, source_workload, source_principal, source_address, toInt8(source_evidence), toInt8(reporter),
    service_port, workload_port, toInt8(protocol), toInt8(mtls)) AS edge,
  hour, method, shape, path_flags, requests, denied, first_seen, last_seen
FROM operation_hour WHERE (SELECT count() FROM operation_usage) = 0
SETTINGS min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_of_request {on_cluster} TO edge AS
SELECT
  edge, cluster, destination_namespace, destination_workload, destination_service, destination_principal, callee_address AS destination_address,
  destination_kind, source_cluster, source_namespace, source_workload, source_principal, caller_address AS source_address, source_evidence, reporter,
  service_port, workload_port, protocol, mtls
FROM request LIMIT 1 BY edge;

CREATE MATERIALIZED VIEW IF NOT EXISTS operation_usage_of_request {on_cluster} TO operation_usage AS
SELECT
  edge, toStartOfHour(time) AS hour, method, shape, path_flags,
  countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied, min(time) AS first_seen, max(time) AS last_seen
FROM request WHERE stage = 'end' GROUP BY edge, hour, method, shape, path_flags;

-- A batch is one insert, so there is nothing to group by: a key of four columns for each line cost more than the counts.
DROP VIEW IF EXISTS ingest_batch_of_request {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS ingest_batch_of_request {on_cluster} TO ingest_batch AS
SELECT
  any(p.batch) AS batch, any(p.source_format) AS source_format, any(p.sender) AS sender, any(p.cluster) AS cluster,
  countIf(reject_reason = '') AS accepted, countIf(reject_reason != '') AS rejected,
  minIf(time, reject_reason = '') AS first_time, maxIf(time, reject_reason = '') AS last_time, now() AS loaded
FROM parsed_request AS p HAVING count() > 0;
