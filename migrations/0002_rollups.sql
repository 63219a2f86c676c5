-- Rollups: who used which operation of whom, by the hour. They answer the graph, the permissions and replay without the facts.
-- Owner: collector (views); readers always sum and group, for parts are not merged at once.

-- ORDER BY: as the facts, callee first. `shape` is the path with typed segments replaced, so ids do not multiply rows.
-- No TTL here: a month-end job must be seen a year later; a row costs some 30 bytes.
CREATE TABLE IF NOT EXISTS operation_hour {on_cluster} (
  hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
  cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_service LowCardinality(String), destination_principal LowCardinality(String), destination_address IPv6 CODEC(ZSTD(1)),
  destination_kind Enum8('internal' = 0, 'external' = 1),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String),
  source_principal LowCardinality(String), source_address IPv6 CODEC(ZSTD(1)),
  source_evidence Enum8('none' = 0, 'claimed' = 1, 'address' = 2, 'joined' = 3, 'verified' = 4),
  reporter Enum8('flow' = 0, 'span' = 1, 'source' = 2, 'gateway' = 3, 'destination' = 4),
  service_port UInt16, workload_port UInt16, protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3),
  mtls Enum8('unknown' = 0, 'no' = 1, 'yes' = 2),
  method LowCardinality(String), shape String CODEC(ZSTD(1)), path_flags UInt16,
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(hour)
ORDER BY (destination_service, destination_workload, source_principal, source_workload, method, shape, hour, cluster, destination_namespace,
  destination_principal, destination_address, destination_kind, source_cluster, source_namespace, source_address, source_evidence, reporter,
  service_port, workload_port, protocol, mtls, path_flags)
SETTINGS {dedup};

-- `requests` are those that were served; refused ones are counted apart, for they teach nothing.
-- Addresses are kept only where nothing better names an end: a private one as it is, a public one as its /16 (IPv6: /32).
CREATE MATERIALIZED VIEW IF NOT EXISTS operation_hour_of_request {on_cluster} TO operation_hour AS
SELECT
  toStartOfHour(time) AS hour,
  cluster, destination_namespace, destination_workload, destination_service, destination_principal,
  if(destination_workload != '' OR destination_service != '' OR destination_principal != '', toIPv6('::'), request.destination_address) AS destination_address,
  destination_kind, source_cluster, source_namespace, source_workload, source_principal,
  multiIf(
    source_workload != '' OR source_principal != '', toIPv6('::'),
    isIPAddressInRange(toString(request.source_address), '::ffff:10.0.0.0/104') OR isIPAddressInRange(toString(request.source_address), '::ffff:172.16.0.0/108')
      OR isIPAddressInRange(toString(request.source_address), '::ffff:192.168.0.0/112') OR isIPAddressInRange(toString(request.source_address), '::ffff:127.0.0.0/104')
      OR isIPAddressInRange(toString(request.source_address), '::ffff:100.64.0.0/106') OR isIPAddressInRange(toString(request.source_address), 'fc00::/7'), request.source_address,
    isIPAddressInRange(toString(request.source_address), '::ffff:0.0.0.0/96'), tupleElement(IPv6CIDRToRange(request.source_address, 112), 1),
    tupleElement(IPv6CIDRToRange(request.source_address, 32), 1)) AS source_address,
  source_evidence, reporter, service_port, workload_port, protocol, mtls, method, shape, path_flags,
  countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied, min(time) AS first_seen, max(time) AS last_seen
FROM request
GROUP BY hour, cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, destination_kind,
  source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence, reporter, service_port, workload_port,
  protocol, mtls, method, shape, path_flags;

-- The same without operations: the graph of a day reads some rows per edge and hour, however many requests there were.
-- ORDER BY: as operation_hour, callee first, so that rows of one edge merge.
CREATE TABLE IF NOT EXISTS edge_hour {on_cluster} (
  hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
  cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_service LowCardinality(String), destination_principal LowCardinality(String), destination_address IPv6 CODEC(ZSTD(1)),
  destination_kind Enum8('internal' = 0, 'external' = 1),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String),
  source_principal LowCardinality(String), source_address IPv6 CODEC(ZSTD(1)),
  source_evidence Enum8('none' = 0, 'claimed' = 1, 'address' = 2, 'joined' = 3, 'verified' = 4),
  reporter Enum8('flow' = 0, 'span' = 1, 'source' = 2, 'gateway' = 3, 'destination' = 4),
  service_port UInt16, workload_port UInt16, protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3),
  mtls Enum8('unknown' = 0, 'no' = 1, 'yes' = 2),
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(hour)
ORDER BY (destination_service, destination_workload, source_principal, source_workload, hour, cluster, destination_namespace, destination_principal,
  destination_address, destination_kind, source_cluster, source_namespace, source_address, source_evidence, reporter, service_port, workload_port,
  protocol, mtls)
SETTINGS {dedup};

-- Hangs on the operations, not on the requests: it groups what is grouped already.
CREATE MATERIALIZED VIEW IF NOT EXISTS edge_hour_of_operation {on_cluster} TO edge_hour AS
SELECT
  hour, cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, destination_kind,
  source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence, reporter, service_port, workload_port,
  protocol, mtls, sum(requests) AS requests, sum(denied) AS denied, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM operation_hour
GROUP BY hour, cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, destination_kind,
  source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence, reporter, service_port, workload_port,
  protocol, mtls;

-- And by the day: a window's whole days are read from here, its ends by the hour, so a month costs what a day does.
-- ORDER BY: as edge_hour.
CREATE TABLE IF NOT EXISTS edge_day {on_cluster} (
  day Date CODEC(ZSTD(1)),
  cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_service LowCardinality(String), destination_principal LowCardinality(String), destination_address IPv6 CODEC(ZSTD(1)),
  destination_kind Enum8('internal' = 0, 'external' = 1),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String),
  source_principal LowCardinality(String), source_address IPv6 CODEC(ZSTD(1)),
  source_evidence Enum8('none' = 0, 'claimed' = 1, 'address' = 2, 'joined' = 3, 'verified' = 4),
  reporter Enum8('flow' = 0, 'span' = 1, 'source' = 2, 'gateway' = 3, 'destination' = 4),
  service_port UInt16, workload_port UInt16, protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3),
  mtls Enum8('unknown' = 0, 'no' = 1, 'yes' = 2),
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')) CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (destination_service, destination_workload, source_principal, source_workload, day, cluster, destination_namespace, destination_principal,
  destination_address, destination_kind, source_cluster, source_namespace, source_address, source_evidence, reporter, service_port, workload_port,
  protocol, mtls)
SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_day_of_edge {on_cluster} TO edge_day AS
SELECT
  toDate(hour) AS day, cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, destination_kind,
  source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence, reporter, service_port, workload_port,
  protocol, mtls, sum(requests) AS requests, sum(denied) AS denied, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM edge_hour
GROUP BY day, cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_address, destination_kind,
  source_cluster, source_namespace, source_workload, source_principal, source_address, source_evidence, reporter, service_port, workload_port,
  protocol, mtls;
