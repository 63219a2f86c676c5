-- Request counters of meshes and of OpenTelemetry: samples as they came, and the requests that happened between them, by the hour.
-- Owner: collector (samples, series), analyzer (hours). A counter says how many since its start; what is wanted is how many in an
-- hour. The difference is taken from stored samples by a job, so order, repetition, lateness and restarts do not matter.

-- What a mapping yields, whatever the format: a sample, a reject, or how many samples of other metrics were passed over.
CREATE TABLE IF NOT EXISTS parsed_metric {on_cluster} (
  batch String, sender LowCardinality(String), cluster LowCardinality(String), source_format LowCardinality(String),
  reject_reason LowCardinality(String), line String, skipped UInt32,
  metric LowCardinality(String), measure LowCardinality(String), target UInt64, series UInt64, instance LowCardinality(String),
  time DateTime64(3, 'UTC'), start DateTime64(3, 'UTC'), value Int64, delta UInt8,
  reporter LowCardinality(String), source_cluster LowCardinality(String), source_namespace LowCardinality(String),
  source_workload LowCardinality(String), source_principal LowCardinality(String), source_evidence LowCardinality(String),
  destination_cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_principal LowCardinality(String), destination_service LowCardinality(String), destination_kind LowCardinality(String),
  protocol LowCardinality(String), mtls LowCardinality(String), status UInt16, response_flags LowCardinality(String)
) ENGINE = Null;

-- ORDER BY: the job reads one target's hour, series by series in time. The same sample again is the same row; `max` makes one of
-- rows that differ (a value, and the creation time that OpenMetrics writes on a line of its own), whatever their order.
-- TTL: once counted, a sample is needed for late neighbours only; those come within days.
CREATE TABLE IF NOT EXISTS metric_sample {on_cluster} (
  sender LowCardinality(String), target UInt64, hour DateTime('UTC'), series UInt64, time DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
  metric LowCardinality(String),
  -- -1: none, only the start is told. `start` 1970: not told. `delta`: the value is of the span since `start`, not of the counter's life.
  value SimpleAggregateFunction(max, Int64) CODEC(Delta(8), ZSTD(1)), start SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
  delta SimpleAggregateFunction(max, UInt8), loaded SimpleAggregateFunction(max, Date)
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(hour) ORDER BY (sender, target, hour, metric, series, time) TTL loaded + INTERVAL 8 DAY
SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_sample_of_parsed {on_cluster} TO metric_sample AS
SELECT sender, target, toStartOfHour(time) AS hour, series, time, metric, value, start, delta, today() AS loaded
FROM parsed_metric WHERE reject_reason = '' AND metric != '';

-- The last sample of each hour: where the next hour's counting begins, without reading the hours before.
-- ORDER BY: as the samples. TTL: as the samples.
CREATE TABLE IF NOT EXISTS metric_last {on_cluster} (
  sender LowCardinality(String), target UInt64, hour DateTime('UTC'), series UInt64, metric LowCardinality(String),
  last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), Int64)), loaded SimpleAggregateFunction(max, Date)
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(hour) ORDER BY (sender, target, hour, metric, series) TTL loaded + INTERVAL 8 DAY
SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_last_of_sample {on_cluster} TO metric_last AS
SELECT sender, target, hour, series, metric, max((s.time, s.value)) AS last, max(s.loaded) AS loaded
FROM metric_sample AS s WHERE s.value >= 0 GROUP BY sender, target, hour, metric, series;

-- What each series is of. ORDER BY: found by the series of a target; the last description wins (they are all the same: a series
-- is the digest of its labels). TTL: from the last sample.
CREATE TABLE IF NOT EXISTS metric_series {on_cluster} (
  sender LowCardinality(String), target UInt64, series UInt64, cluster LowCardinality(String), instance LowCardinality(String),
  metric LowCardinality(String), measure LowCardinality(String), reporter LowCardinality(String),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String),
  source_principal LowCardinality(String), source_evidence LowCardinality(String),
  destination_cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_principal LowCardinality(String), destination_service LowCardinality(String), destination_kind LowCardinality(String),
  protocol LowCardinality(String), mtls LowCardinality(String), status UInt16, response_flags LowCardinality(String),
  loaded Date DEFAULT today()
) ENGINE = {engine:ReplacingMergeTree}(loaded)
ORDER BY (sender, target, series) TTL loaded + INTERVAL 9 DAY
SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_series_of_parsed {on_cluster} TO metric_series AS
SELECT DISTINCT
  sender, target, series, cluster, instance, metric, measure, reporter, source_cluster, source_namespace, source_workload, source_principal,
  source_evidence, destination_cluster, destination_namespace, destination_workload, destination_principal, destination_service,
  destination_kind, protocol, mtls, status, response_flags
FROM parsed_metric WHERE reject_reason = '' AND metric != '';

-- How many samples each target's hour has: one whose count differs from the one that was last counted is counted anew.
-- ORDER BY: looked up by target and hour. TTL: as the samples.
CREATE TABLE IF NOT EXISTS metric_target_hour {on_cluster} (
  sender LowCardinality(String), target UInt64, hour DateTime('UTC'), samples SimpleAggregateFunction(sum, UInt64),
  loaded SimpleAggregateFunction(max, Date)
) ENGINE = {engine:AggregatingMergeTree} ORDER BY (sender, target, hour) TTL loaded + INTERVAL 8 DAY
SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS metric_target_hour_of_sample {on_cluster} TO metric_target_hour AS
SELECT sender, target, hour, count() AS samples, max(s.loaded) AS loaded FROM metric_sample AS s GROUP BY sender, target, hour;

-- ORDER BY: one row for a target's hour, the last count wins. TTL: as the samples, and a day more, so that nothing is counted twice.
CREATE TABLE IF NOT EXISTS metric_target_counted {on_cluster} (
  sender LowCardinality(String), target UInt64, hour DateTime('UTC'), samples UInt64, version UInt64
) ENGINE = {engine:ReplacingMergeTree}(version) ORDER BY (sender, target, hour)
TTL toDate(fromUnixTimestamp64Milli(toInt64(version))) + INTERVAL 9 DAY;

-- Requests between samples, by the hour. The job writes a target's hours anew; what is no longer there becomes zero, so a job that
-- is repeated or killed does no harm. `gap_s`: the longest time between two samples that the hour was counted from.
-- ORDER BY: hour first, for readers ask for a window and the job replaces a target's hours. TTL: a year, as what batches brought.
CREATE TABLE IF NOT EXISTS metric_hour {on_cluster} (
  hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)), sender LowCardinality(String), target UInt64, series UInt64 CODEC(ZSTD(1)),
  cluster LowCardinality(String), instance LowCardinality(String), metric LowCardinality(String), measure LowCardinality(String),
  reporter LowCardinality(String), source_cluster LowCardinality(String), source_namespace LowCardinality(String),
  source_workload LowCardinality(String), source_principal LowCardinality(String), source_evidence LowCardinality(String),
  destination_cluster LowCardinality(String), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_principal LowCardinality(String), destination_service LowCardinality(String), destination_kind LowCardinality(String),
  protocol LowCardinality(String), mtls LowCardinality(String), status UInt16 CODEC(T64, ZSTD(1)), response_flags LowCardinality(String),
  requests UInt64 CODEC(T64, ZSTD(1)), gap_s UInt32 CODEC(T64, ZSTD(1)),
  first_seen DateTime64(3, 'UTC') CODEC(ZSTD(1)), last_seen DateTime64(3, 'UTC') CODEC(ZSTD(1)), version UInt64 CODEC(ZSTD(1))
) ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY toYYYYMM(hour) ORDER BY (hour, sender, target, series)
TTL toDate(fromUnixTimestamp64Milli(toInt64(version))) + INTERVAL 400 DAY;

-- One reject for each reason and batch, with one of its lines: a sender that may not speak for its targets would else write one for
-- every sample, four times a minute.
CREATE MATERIALIZED VIEW IF NOT EXISTS rejected_line_of_metric {on_cluster} TO rejected_line AS
SELECT source_format, sender, cluster, batch, p.reject_reason AS reason, any(substring(p.line, 1, 512)) AS line
FROM parsed_metric AS p WHERE p.reject_reason != '' GROUP BY source_format, sender, cluster, batch, reason;

ALTER TABLE ingest_batch {on_cluster} ADD COLUMN IF NOT EXISTS skipped SimpleAggregateFunction(sum, UInt64);

CREATE MATERIALIZED VIEW IF NOT EXISTS ingest_batch_of_metric {on_cluster} TO ingest_batch AS
SELECT
  batch, source_format, sender, cluster, countIf(reject_reason = '' AND measure != '') AS accepted, countIf(reject_reason != '') AS rejected,
  minIf(p.time, reject_reason = '' AND measure != '') AS first_time, maxIf(p.time, reject_reason = '' AND measure != '') AS last_time, now() AS loaded,
  sum(p.skipped) AS skipped
FROM parsed_metric AS p GROUP BY batch, source_format, sender, cluster;
