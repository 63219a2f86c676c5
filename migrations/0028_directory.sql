-- What directories, identity providers and posture systems say of themselves: sign-ins, changes, access, states of devices. A kind of fact
-- beside the request, for it has no callee and no path. Owner: collector (writes through the views); analyzer and api read it.

-- ORDER BY: links and lists ask for a window of time. What came twice from the same is there once. Reads count an event once by tenant, source, id and
-- `said`, a hash of what its columns say, by whatever ways it came: one that takes another's id to say something else is another event,
-- and is kept and counted; nobody rewrites an event by sending its id again.
-- `event` is all of it, secrets taken out, so that nothing is lost that no column has. Sessions and tokens are hashes under
-- `correlation_key`, wherever they are. TTL: a year of changes is asked for by audits; `time_told` is 0 where the event has no time and the
-- time of loading stands for it.
CREATE TABLE IF NOT EXISTS directory_event {on_cluster} (
  time DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)), time_told UInt8, tenant LowCardinality(String), cluster LowCardinality(String),
  sender LowCardinality(String), source_format LowCardinality(String), event_id String CODEC(ZSTD(1)),
  category Enum8('other' = 0, 'change' = 1, 'sign_in' = 2, 'sign_out' = 3, 'access' = 4, 'posture' = 5),
  action LowCardinality(String), outcome Enum8('unknown' = 0, 'success' = 1, 'failure' = 2, 'denied' = 3), reason String CODEC(ZSTD(1)),
  actor_id String CODEC(ZSTD(1)), actor_type Enum8('unknown' = 0, 'user' = 1, 'service' = 2, 'system' = 3, 'device' = 4),
  actor_name String CODEC(ZSTD(1)), actor_address IPv6 CODEC(ZSTD(1)), actor_client String CODEC(ZSTD(1)), actor_agent String CODEC(ZSTD(1)),
  actor_device String CODEC(ZSTD(1)),
  targets Array(Tuple(type LowCardinality(String), id String, name String)) CODEC(ZSTD(1)),
  changes Array(Tuple(attribute String, old String, new String)) CODEC(ZSTD(1)),
  correlations Array(Tuple(kind LowCardinality(String), value String)) CODEC(ZSTD(1)),
  event String CODEC(ZSTD(3)),
  said UInt64 MATERIALIZED sipHash64(if(time_told, time, toDateTime64(0, 6, 'UTC')), category, action, outcome, reason, actor_id, actor_type, actor_name, actor_address,
    actor_client, actor_agent, actor_device, toString(targets), toString(changes), toString(correlations)) CODEC(ZSTD(1)),
  whole UInt64 MATERIALIZED sipHash64(event) CODEC(ZSTD(1)), loaded Date DEFAULT today()
) ENGINE = {engine:ReplacingMergeTree}
PARTITION BY toYYYYMM(time)
ORDER BY (toStartOfHour(time), tenant, source_format, event_id, said, cluster, sender, whole)
TTL loaded + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- The key of the hashes of sessions and tokens, so that a hash that leaves the store tells nobody the session. The engine makes it: it stands
-- in no statement, and so in no log. ORDER BY: the first one made is used.
CREATE TABLE IF NOT EXISTS correlation_key {on_cluster} (made DateTime64(6, 'UTC') DEFAULT now64(6), key String)
ENGINE = {engine:MergeTree} ORDER BY made;

INSERT INTO correlation_key (key)
SELECT SHA256(concat(randomString(64), toString(generateUUIDv4()), toString(rand64()), toString(now64(9)), hostName()))
WHERE (SELECT count() FROM correlation_key) = 0;

-- What every source's mapping yields: an event, or a line with the reason why it is none. Stores nothing.
CREATE TABLE IF NOT EXISTS parsed_directory_event {on_cluster} AS directory_event ENGINE = Null;
ALTER TABLE parsed_directory_event {on_cluster}
  ADD COLUMN IF NOT EXISTS reject_reason LowCardinality(String), ADD COLUMN IF NOT EXISTS line String, ADD COLUMN IF NOT EXISTS batch LowCardinality(String);

CREATE MATERIALIZED VIEW IF NOT EXISTS directory_event_of_parsed {on_cluster} TO directory_event AS
SELECT * EXCEPT (reject_reason, line, batch) FROM parsed_directory_event WHERE reject_reason = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS rejected_line_of_directory_event {on_cluster} TO rejected_line AS
SELECT source_format, sender, cluster, batch, reject_reason AS reason, substring(line, 1, 512) AS line
FROM parsed_directory_event WHERE reject_reason != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS ingest_batch_of_directory_event {on_cluster} TO ingest_batch AS
SELECT
  batch, source_format, sender, cluster, countIf(reject_reason = '') AS accepted, countIf(reject_reason != '') AS rejected,
  minIf(time, reject_reason = '') AS first_time, maxIf(time, reject_reason = '') AS last_time, now() AS loaded
FROM parsed_directory_event GROUP BY batch, source_format, sender, cluster;
