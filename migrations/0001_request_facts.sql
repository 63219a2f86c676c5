-- Request facts: one row per request as one reporter saw it, and the rollups that answer the graph without them.
-- Owner: collector (writes through the landing views); analyzer and api read the rollups.
-- {engine:…}, {on_cluster} and {dedup} are filled in by services/store/migrate.ts: replicated engines on a cluster, plain ones otherwise.

-- ORDER BY: the questions are "who calls this service" and "what happened on this edge": destination, hour, source, time was
-- measured best for both at the cost of 1 % of size (any order with time first costs those questions 10 to 30 times more).
-- PARTITION BY month: a batch of hostile lines with all dates since 2010 makes at most some 200 parts, never an error.
-- TTL from the day of loading, not from the request: a recording of 2023 that is loaded today is wanted today.
CREATE TABLE IF NOT EXISTS request {on_cluster} (
  time DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)), cluster LowCardinality(String), tenant LowCardinality(String),
  sender LowCardinality(String), source_format LowCardinality(String),
  reporter Enum8('flow' = 0, 'span' = 1, 'source' = 2, 'gateway' = 3, 'destination' = 4),
  enforcement_point Enum8('none' = 0, 'sidecar' = 1, 'ingress' = 2, 'egress' = 3, 'transit' = 4, 'waypoint' = 5, 'node' = 6, 'edge' = 7, 'gateway' = 8),
  sampling_weight Float32 DEFAULT 1, attempt UInt8, stage Enum8('end' = 0, 'start' = 1, 'periodic' = 2),
  source_principal LowCardinality(String), source_evidence Enum8('none' = 0, 'claimed' = 1, 'address' = 2, 'joined' = 3, 'verified' = 4),
  source_workload LowCardinality(String), source_version LowCardinality(String), source_namespace LowCardinality(String),
  source_cluster LowCardinality(String), source_address IPv6 CODEC(ZSTD(1)), source_port UInt16 CODEC(ZSTD(1)),
  destination_principal LowCardinality(String), destination_workload LowCardinality(String), destination_version LowCardinality(String),
  destination_namespace LowCardinality(String), destination_cluster LowCardinality(String), destination_service LowCardinality(String),
  destination_address IPv6 CODEC(ZSTD(1)), service_port UInt16 CODEC(T64, ZSTD(1)), workload_port UInt16 CODEC(T64, ZSTD(1)),
  authority LowCardinality(String), sni LowCardinality(String), destination_kind Enum8('internal' = 0, 'external' = 1),
  protocol Enum8('unknown' = 0, 'http' = 1, 'grpc' = 2, 'tcp' = 3), method LowCardinality(String), path String CODEC(ZSTD(1)),
  original_path String CODEC(ZSTD(1)), shape LowCardinality(String), path_flags UInt16 CODEC(T64, ZSTD(1)),
  grpc_service LowCardinality(String), grpc_method LowCardinality(String),
  status UInt16 CODEC(T64, ZSTD(1)), grpc_status Int16 CODEC(T64, ZSTD(1)),
  decision Enum8('allowed' = 0, 'denied' = 1, 'would_deny' = 2), decided_by LowCardinality(String),
  response_flags LowCardinality(String), duration_us UInt64 CODEC(T64, ZSTD(1)), bytes_in UInt64 CODEC(T64, ZSTD(1)), bytes_out UInt64 CODEC(T64, ZSTD(1)),
  user_issuer LowCardinality(String), user_subject String CODEC(ZSTD(1)), user_groups Array(LowCardinality(String)), acr LowCardinality(String),
  amr Array(LowCardinality(String)), auth_time DateTime('UTC') CODEC(ZSTD(1)), client_address IPv6 CODEC(ZSTD(1)), user_agent String CODEC(ZSTD(1)),
  mtls Enum8('unknown' = 0, 'no' = 1, 'yes' = 2), tls_version LowCardinality(String), certificate_hash String CODEC(ZSTD(1)), certificate_end DateTime('UTC') CODEC(ZSTD(1)),
  trace_id FixedString(16) CODEC(NONE), span_id FixedString(8) CODEC(NONE), parent_span_id FixedString(8) CODEC(ZSTD(1)), request_id UUID CODEC(ZSTD(1)),
  loaded Date DEFAULT today(),
  INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(time)
ORDER BY (destination_service, destination_workload, toStartOfHour(time), source_principal, source_workload, time)
TTL loaded + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- What every source's mapping yields, whatever the format: a fact, or a line with the reason why it is none. Stores nothing.
-- `reporter_namespace` and `reporter_workload` say on whose behalf the line speaks; senders are held to them.
CREATE TABLE IF NOT EXISTS parsed_request {on_cluster} AS request ENGINE = Null;
ALTER TABLE parsed_request {on_cluster}
  ADD COLUMN IF NOT EXISTS reject_reason LowCardinality(String), ADD COLUMN IF NOT EXISTS line String, ADD COLUMN IF NOT EXISTS batch LowCardinality(String),
  ADD COLUMN IF NOT EXISTS evidence_cap Int8, ADD COLUMN IF NOT EXISTS speaks_for String,
  ADD COLUMN IF NOT EXISTS reporter_namespace LowCardinality(String), ADD COLUMN IF NOT EXISTS reporter_workload LowCardinality(String);

CREATE MATERIALIZED VIEW IF NOT EXISTS request_of_parsed {on_cluster} TO request AS
SELECT * EXCEPT (reject_reason, line, batch, evidence_cap, speaks_for, reporter_namespace, reporter_workload)
FROM parsed_request WHERE reject_reason = '';

-- Lines that became no fact, so that nothing is lost unseen: redacted, cut, kept for a week. Owner: collector.
-- ORDER BY: they are read newest first, by source. TTL: a week is long enough to mend a format.
CREATE TABLE IF NOT EXISTS rejected_line {on_cluster} (
  loaded DateTime('UTC') DEFAULT now(), source_format LowCardinality(String), sender LowCardinality(String), cluster LowCardinality(String),
  batch String CODEC(ZSTD(1)), reason LowCardinality(String), line String CODEC(ZSTD(3))
) ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMMDD(loaded) ORDER BY (source_format, loaded) TTL loaded + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- Redaction: query strings, tokens, credentials, cookies, long opaque values. Runs on rejects only, so its cost does not count.
CREATE MATERIALIZED VIEW IF NOT EXISTS rejected_line_of_request {on_cluster} TO rejected_line AS
SELECT
  source_format, sender, cluster, batch, reject_reason AS reason,
  substring(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(toValidUTF8(substring(line, 1, 4096)),
    '\\?[^" ]*', '?<query>'),
    '(?i)\\b(bearer|basic)\\s+[a-z0-9+/=._~-]+', '\\1 <redacted>'),
    '(?i)((?:authorization|cookie|token|secret|password|passwd|api[-_]?key|session|signature)[a-z_-]*["\']?\\s*[:=]\\s*["\']?)[^"\',; ]+', '\\1<redacted>'),
    '\\beyJ[A-Za-z0-9_-]{5,}(\\.[A-Za-z0-9_-]*){0,2}|\\b[A-Za-z0-9+_-]{48,}={0,2}', '<redacted>'), 1, 512) AS line
FROM parsed_request WHERE reject_reason != '';

-- What each batch brought: the answer to whoever sent it, the freshness of sources and senders. Owner: collector.
-- ORDER BY: looked up by batch; small (a row a batch), so other questions may scan it.
CREATE TABLE IF NOT EXISTS ingest_batch {on_cluster} (
  batch String, source_format LowCardinality(String), sender LowCardinality(String), cluster LowCardinality(String),
  accepted SimpleAggregateFunction(sum, UInt64), rejected SimpleAggregateFunction(sum, UInt64),
  first_time SimpleAggregateFunction(min, DateTime64(6, 'UTC')), last_time SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
  loaded SimpleAggregateFunction(max, DateTime('UTC'))
) ENGINE = {engine:AggregatingMergeTree}
ORDER BY (batch, source_format, sender, cluster) TTL loaded + INTERVAL 400 DAY
SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS ingest_batch_of_request {on_cluster} TO ingest_batch AS
SELECT
  batch, source_format, sender, cluster, countIf(reject_reason = '') AS accepted, countIf(reject_reason != '') AS rejected,
  minIf(time, reject_reason = '') AS first_time, maxIf(time, reject_reason = '') AS last_time, now() AS loaded
FROM parsed_request GROUP BY batch, source_format, sender, cluster;
