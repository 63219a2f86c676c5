-- Who called, where the callee's line does not say: lines of both ends of a connection, and the calls that are found by joining them.
-- While this runs no other process may write to the store: between the old view and the new one a fact would be lost.

-- A gateway's line tells of two connections: where it took the one, and from where to where it opened the other.
ALTER TABLE request {on_cluster}
  ADD COLUMN IF NOT EXISTS gateway_address IPv6 CODEC(ZSTD(1)), ADD COLUMN IF NOT EXISTS gateway_port UInt16 CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS gateway_upstream_port UInt16 CODEC(ZSTD(1)), ADD COLUMN IF NOT EXISTS gateway_upstream_address IPv6 CODEC(ZSTD(1));
ALTER TABLE parsed_request {on_cluster}
  ADD COLUMN IF NOT EXISTS gateway_address IPv6, ADD COLUMN IF NOT EXISTS gateway_port UInt16,
  ADD COLUMN IF NOT EXISTS gateway_upstream_port UInt16, ADD COLUMN IF NOT EXISTS gateway_upstream_address IPv6;

DROP VIEW IF EXISTS request_of_parsed {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS request_of_parsed {on_cluster} TO request AS
SELECT * EXCEPT (reject_reason, line, batch, evidence_cap, speaks_for, reporter_namespace, reporter_workload)
FROM parsed_request WHERE reject_reason = '';

-- One end of a call as one line tells it. Only lines whose caller is not proven take part, and those that could explain them:
-- `callee` (takes a call), `caller` (makes it), `relay` (a gateway that passes a connection on unread; `via` is the one it took, `server` whom from),
-- `seen` (tells who has an address, nothing else). `connection`: keyed by both ends' addresses and ports, 0 where a line does not tell
-- them; `ask`: method and path; `mention`: the server's end, method, path and request id, 0 without an id; `line`: all that tells
-- one request from another, so that a line that was sent twice counts once; `mark`: as the request's, which channels share. SipHash, for paths and ids are a client's to choose.
-- ORDER BY: a job reads the minutes that changed, and the one before and behind. TTL: late lines come within days. Owner: collector.
CREATE TABLE IF NOT EXISTS call_half {on_cluster} (
  time DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)), side Enum8('callee' = 0, 'caller' = 1, 'relay' = 2, 'seen' = 3),
  connection UInt64 CODEC(ZSTD(1)), via UInt64 CODEC(ZSTD(1)), ask UInt64 CODEC(ZSTD(1)), mention UInt64 CODEC(ZSTD(1)), line UInt64 CODEC(NONE),
  duration_us UInt64 CODEC(T64, ZSTD(1)), client IPv6 CODEC(ZSTD(1)), server IPv6 CODEC(ZSTD(1)), sender LowCardinality(String),
  cluster LowCardinality(String), namespace LowCardinality(String), workload LowCardinality(String), principal LowCardinality(String),
  service LowCardinality(String), is_gateway Bool, claimed LowCardinality(String), mark UInt64 CODEC(ZSTD(1)), edge LowCardinality(FixedString(16)), method LowCardinality(String),
  shape String CODEC(ZSTD(1)), path_flags UInt16 CODEC(T64, ZSTD(1)), denied Bool, not_found Bool, loaded Date DEFAULT today()
) ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(time) ORDER BY (toStartOfMinute(time), side, connection) TTL loaded + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- ztunnel's lines prove both ends or name what it looked up: they tell addresses. Their callers are not joined: both ends are told.
CREATE MATERIALIZED VIEW IF NOT EXISTS call_half_of_request {on_cluster} TO call_half AS
SELECT
  time, side,
  multiIf(side = 'callee', taken, side = 'seen', toUInt64(0), opened) AS connection, if(side = 'relay', taken, toUInt64(0)) AS via,
  sipHash64(method, path) AS ask,
  if(request_id = toUUID('00000000-0000-0000-0000-000000000000'), toUInt64(0), sipHash64(
    if(side = 'callee' AND reporter = 'gateway', gateway_address, called), if(side = 'callee' AND reporter = 'gateway', gateway_port, workload_port),
    -- Envoy writes into an id whether the request is traced: that digit may change on the way.
    method, path, substring(toString(request_id), 1, 14), substring(toString(request_id), 16))) AS mention,
  sipHash64(time, taken, opened, called, workload_port, gateway_address, method, path, status, duration_us, bytes_in, bytes_out, request_id, response_flags, user_agent) AS line,
  duration_us,
  if(side = 'callee' OR NOT between, source_address, gateway_address) AS client,
  multiIf(side = 'relay', source_address, side = 'callee' AND reporter = 'gateway', gateway_address, called) AS server,
  sender, cluster,
  multiIf(reporter = 'gateway' AND destination_workload = '', '', between OR side = 'callee', destination_namespace, source_namespace) AS namespace,
  if(between OR side = 'callee', destination_workload, source_workload) AS workload,
  if(reporter = 'gateway', destination_principal, '') AS principal,
  -- Whom a gateway's caller asked for is the gateway itself; what it asked the gateway for is no name of the gateway.
  if(side = 'callee' AND reporter = 'gateway', extract(sni, '^outbound_[.][0-9]*_[.][^_]*_[.]([^.]+[.][^.]+)[.]svc'), destination_service) AS service,
  reporter = 'gateway' AS is_gateway, if(side = 'callee', source_principal, '') AS claimed,
  mark, edge, method, shape, path_flags, decision = 'denied' AS denied, NOT denied AND (status IN (404, 405) OR grpc_status = 12) AS not_found
FROM (
  SELECT
    time, reporter, sender, cluster, method, path, status, duration_us, bytes_in, bytes_out, request_id, response_flags, user_agent, source_address,
    destination_address, workload_port, gateway_address, gateway_port, gateway_upstream_address, source_namespace, source_workload, source_principal,
    destination_namespace, destination_workload, destination_principal, destination_service, sni, request.mark AS mark, edge, shape, path_flags, decision, grpc_status,
    reporter = 'gateway' OR enforcement_point = 'transit' AS between, if(between, gateway_upstream_address, destination_address) AS called,
    if(source_port = 0, toUInt64(0), sipHash64(source_address, source_port,
      if(between, gateway_address, destination_address), if(between, gateway_port, workload_port))) AS taken,
    multiIf(between, if(gateway_upstream_port = 0, toUInt64(0), sipHash64(gateway_address, gateway_upstream_port, called, workload_port)),
      source_port = 0, toUInt64(0), sipHash64(source_address, source_port, destination_address, workload_port)) AS opened,
    arrayJoin(multiIf(
      enforcement_point = 'transit', ['relay'],
      reporter = 'destination', ['callee'],
      reporter = 'source', ['caller'],
      source_evidence IN ('none', 'claimed'), ['callee', 'caller'], ['caller'])) AS side
  FROM request
  WHERE stage = 'end' AND enforcement_point != 'node' AND (
    reporter = 'destination' AND source_evidence IN ('none', 'claimed')
    -- Without a connection of its own a caller's line has the address that asked it.
    OR reporter = 'source' AND source_port != 0 AND (destination_kind = 'internal' OR source_workload = '')
    OR (reporter = 'gateway' OR enforcement_point = 'transit') AND gateway_port != 0)
);

CREATE MATERIALIZED VIEW IF NOT EXISTS call_half_of_node {on_cluster} TO call_half AS
SELECT
  time, 'seen' AS side, end.1 AS client, end.2 AS namespace, end.3 AS workload, sender, cluster
FROM (
  SELECT time, sender, cluster,
    arrayJoin([(source_address, toString(source_namespace), toString(source_workload)), (destination_address, toString(destination_namespace), toString(destination_workload))]) AS end
  FROM request WHERE enforcement_point = 'node' AND reporter IN ('source', 'destination')
) WHERE workload != '' AND client != toIPv6('::');

-- How often each minute's halves changed: one whose number differs from the one that was last joined is joined anew. `touched`: what
-- is not in the minute itself, but decides in it (an address that was declared, a connection that lasted). Owner: collector, analyzer.
-- ORDER BY: the minute is all there is to ask for. TTL: as the halves, and a day more, so that nothing is joined from what is gone.
CREATE TABLE IF NOT EXISTS call_half_minute {on_cluster} (
  minute DateTime('UTC'), halves SimpleAggregateFunction(sum, UInt64), touched SimpleAggregateFunction(sum, UInt64), loaded SimpleAggregateFunction(max, Date)
) ENGINE = {engine:AggregatingMergeTree} ORDER BY minute TTL loaded + INTERVAL 8 DAY SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS call_half_minute_of_half {on_cluster} TO call_half_minute AS
SELECT toStartOfMinute(time) AS minute, count() AS halves, toUInt64(0) AS touched, max(h.loaded) AS loaded FROM call_half AS h GROUP BY minute;

-- ORDER BY: one row a minute, the last join wins. TTL: longer than that of what it is compared with.
CREATE TABLE IF NOT EXISTS call_half_minute_joined {on_cluster} (minute DateTime('UTC'), changes UInt64, version UInt64)
ENGINE = {engine:ReplacingMergeTree}(version) ORDER BY minute TTL toDate(fromUnixTimestamp64Milli(toInt64(version))) + INTERVAL 9 DAY;

-- Pods that were declared, with their addresses, from their start to the last time that they were declared. `shared`: of the node, so
-- that whoever runs there may speak from it. Owner: collector. ORDER BY: one row for a Pod's address. TTL: as long as facts are kept.
CREATE TABLE IF NOT EXISTS declared_address {on_cluster} (
  cluster String, address IPv6, namespace String, workload String, pod String, shared Bool,
  since DateTime64(3, 'UTC'), until SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
) ENGINE = {engine:AggregatingMergeTree} ORDER BY (cluster, address, namespace, workload, pod, shared, since) TTL toDate(until) + INTERVAL 90 DAY;

-- What became of the lines whose caller was not proven. A job writes a whole minute anew: what is no longer there becomes zero, so a
-- job that is repeated or killed does no harm. `edge`: the edge without a caller that the rollups count them under; `lines` and
-- `lines_denied`: how many of its counts these stand for, repeated lines with them, so that what is joined is taken from the unknown;
-- `not_found` and `lines_not_found`: those of `requests` and of `lines` that were answered 404, 405 or UNIMPLEMENTED.
-- `rung`: how the caller was found, or why it was not. `contradicts`: whom others say that it was. `part`: of a minute that has too
-- many lines to be joined at once. Owner: analyzer.
-- ORDER BY: minute and part first, for a job reads and replaces one. TTL: a year, as other counts by the hour that jobs write.
CREATE TABLE IF NOT EXISTS joined_call {on_cluster} (
  minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)), part UInt16 CODEC(ZSTD(1)), edge LowCardinality(FixedString(16)), method LowCardinality(String), shape String CODEC(ZSTD(1)), path_flags UInt16,
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String),
  source_principal LowCardinality(String), source_service LowCardinality(String),
  source_evidence Enum8('none' = 0, 'claimed' = 1, 'address' = 2, 'joined' = 3, 'verified' = 4), rung LowCardinality(String), contradicts LowCardinality(String),
  gateway_namespace LowCardinality(String), gateway_workload LowCardinality(String), gateway_service LowCardinality(String),
  requests UInt64 CODEC(T64, ZSTD(1)), denied UInt64 CODEC(T64, ZSTD(1)), lines UInt64 CODEC(T64, ZSTD(1)), lines_denied UInt64 CODEC(T64, ZSTD(1)),
  not_found UInt64 CODEC(T64, ZSTD(1)), lines_not_found UInt64 CODEC(T64, ZSTD(1)),
  first_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)), last_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)), mark UInt64 CODEC(ZSTD(1)), version UInt64 CODEC(ZSTD(1))
) ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, part, edge, method, shape, path_flags, source_cluster, source_namespace, source_workload, source_principal, source_service, source_evidence, rung,
  contradicts, gateway_namespace, gateway_workload, gateway_service)
TTL toDate(fromUnixTimestamp64Milli(toInt64(version))) + INTERVAL 400 DAY;

-- The same by the hour, for readers: windows are whole hours. Written anew for each hour of which a minute was joined; its parts are one. ORDER BY, TTL, owner: as by the minute.
CREATE TABLE IF NOT EXISTS joined_call_hour {on_cluster} AS joined_call
ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, part, edge, method, shape, path_flags, source_cluster, source_namespace, source_workload, source_principal, source_service, source_evidence, rung,
  contradicts, gateway_namespace, gateway_workload, gateway_service)
TTL toDate(fromUnixTimestamp64Milli(toInt64(version))) + INTERVAL 400 DAY;
