-- Request chains: each user access request and the calls that complete it, found in spans and in access-log lines that carry a
-- trace id. Owner: collector (trace ids and counts, by views), analyzer (all else).

-- A span's trace, to gather what belongs together. Within a minute, a trace's spans are many, so its id compresses well.
ALTER TABLE span {on_cluster} ADD COLUMN IF NOT EXISTS trace_id FixedString(16) CODEC(ZSTD(1));
ALTER TABLE span {on_cluster} ADD INDEX IF NOT EXISTS trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE parsed_span {on_cluster} ADD COLUMN IF NOT EXISTS trace_id FixedString(16);

DROP VIEW IF EXISTS span_of_parsed {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS span_of_parsed {on_cluster} TO span AS
SELECT * EXCEPT (reject_reason, line, batch) FROM parsed_span WHERE reject_reason = '';

-- How many spans and lines of traces each minute has: a minute whose count differs from the one that was last looked at is looked
-- at anew. Spans from before this migration have no trace id and are in no chain. ORDER BY: the minute is all there is to ask for.
CREATE TABLE IF NOT EXISTS trace_minute {on_cluster} (minute DateTime('UTC'), records SimpleAggregateFunction(sum, UInt64))
ENGINE = {engine:AggregatingMergeTree} ORDER BY minute SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS trace_minute_of_span {on_cluster} TO trace_minute AS
SELECT toStartOfMinute(time) AS minute, count() AS records FROM span GROUP BY minute;

CREATE MATERIALIZED VIEW IF NOT EXISTS trace_minute_of_request {on_cluster} TO trace_minute AS
SELECT toStartOfMinute(time) AS minute, count() AS records FROM request WHERE trace_id != toFixedString('', 16) AND stage = 'end' GROUP BY minute;

-- ORDER BY: one row a minute, the last count wins.
CREATE TABLE IF NOT EXISTS trace_minute_chained {on_cluster} (minute DateTime('UTC'), records UInt64, version UInt64)
ENGINE = {engine:ReplacingMergeTree}(version) ORDER BY minute;

-- Chains that began in a minute, counted by root operation, shape and what is missing in them. A job writes the whole minute anew:
-- rows that are no longer there become zero, so a job that is repeated or killed does no harm. `shape`: '' where a chain is too
-- broken to have one. `gaps`: a JSON list of [kind, caller, callee, operation]; whether a gap is a break is decided when it is
-- read, by what the window as a whole shows. ORDER BY: minute first, for a job replaces and a report reads a range of them.
-- TTL from the day of writing: a recording of last year is wanted today, and a quarterly job's shape a year later.
CREATE TABLE IF NOT EXISTS chain_minute {on_cluster} (
  minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
  root_callee LowCardinality(String), root_method LowCardinality(String), root_path String CODEC(ZSTD(1)), shape LowCardinality(String), gaps String CODEC(ZSTD(1)),
  chains UInt64 CODEC(T64, ZSTD(1)), asynchronous UInt64 CODEC(T64, ZSTD(1)), hops UInt64 CODEC(T64, ZSTD(1)), fan_out UInt32 CODEC(T64, ZSTD(1)),
  first_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)), last_seen DateTime64(6, 'UTC') CODEC(ZSTD(1)),
  -- A few traces to look at, 32 hexadecimal digits each.
  samples Array(String) CODEC(ZSTD(1)),
  -- How many chains each that was looked at stands for: more than 1 in minutes that had too many to look at all of them.
  weight UInt32 CODEC(ZSTD(1)), version UInt64 CODEC(ZSTD(1)), written Date DEFAULT today()
) ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY toYYYYMM(minute) ORDER BY (minute, root_callee, root_method, root_path, shape, gaps) TTL written + INTERVAL 400 DAY;

-- How often something that a chain may lack was there (`met`) and was not (`unmet`): the log line of a callee's proxy, the server's
-- span under a client's. ORDER BY: as chain_minute, a minute is replaced. TTL: as chain_minute.
CREATE TABLE IF NOT EXISTS chain_expectation {on_cluster} (
  minute DateTime('UTC') CODEC(Delta(4), ZSTD(1)), kind LowCardinality(String),
  caller LowCardinality(String), callee LowCardinality(String), operation String CODEC(ZSTD(1)),
  met UInt64 CODEC(T64, ZSTD(1)), unmet UInt64 CODEC(T64, ZSTD(1)), version UInt64 CODEC(ZSTD(1)), written Date DEFAULT today()
) ENGINE = {engine:ReplacingMergeTree}(version)
PARTITION BY toYYYYMM(minute) ORDER BY (minute, kind, caller, callee, operation) TTL written + INTERVAL 400 DAY;

-- What each shape is: a tree of calls, as JSON. ORDER BY: looked up by its id. Rows of one id are alike. TTL: none, they are few.
CREATE TABLE IF NOT EXISTS chain_shape {on_cluster} (shape String, calls UInt32, tree String CODEC(ZSTD(3)))
ENGINE = {engine:ReplacingMergeTree} ORDER BY shape;
