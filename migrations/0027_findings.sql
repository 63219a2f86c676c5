-- Findings: what checks and other producers see, one row for each check and subject, and what was said of each. Owner: analyzer; small.

-- ORDER BY: looked up by its id, and read whole; the last look wins. `said` is the rest as JSON. TTL: what is not seen any more for longer
-- than usage is kept has nothing that shows it.
CREATE TABLE IF NOT EXISTS finding {on_cluster} (
  id String, check_id LowCardinality(String), said String CODEC(ZSTD(1)), version UInt64, written DateTime DEFAULT now()
) ENGINE = {engine:ReplacingMergeTree}(version) ORDER BY id
TTL written + INTERVAL 400 DAY;

-- Who put a finding into which state, when and why: appended only. `who` is empty where a look of the producer did.
-- ORDER BY: the words on one finding, in their order. TTL: none for what people said.
CREATE TABLE IF NOT EXISTS finding_word {on_cluster} (
  id String, version UInt64, at String, who String, why String,
  state Enum8('open' = 0, 'acknowledged' = 1, 'accepted' = 2, 'false' = 3, 'resolved' = 4), owner String, until String, tolerated Float64,
  written DateTime DEFAULT now()
) ENGINE = {engine:MergeTree} ORDER BY (id, version)
TTL written + INTERVAL 800 DAY DELETE WHERE who = ''
SETTINGS {dedup};

-- What people answer for that no telemetry shows: appended only, the last word on a requirement holds until its end.
-- ORDER BY: the words on one requirement, in their order. No TTL: what was attested must be known for as long as it may be asked.
CREATE TABLE IF NOT EXISTS attestation {on_cluster} (
  requirement LowCardinality(String), version UInt64, at String, who String, why String, owner String, until String, withdrawn UInt8
) ENGINE = {engine:MergeTree} ORDER BY (requirement, version)
SETTINGS {dedup};

-- Verdicts by the day, as the last look of the day had them. ORDER BY: the days of one requirement. TTL: as usage.
CREATE TABLE IF NOT EXISTS verdict_day {on_cluster} (
  requirement LowCardinality(String), day Date, verdict LowCardinality(String), version UInt64
) ENGINE = {engine:ReplacingMergeTree}(version) ORDER BY (requirement, day)
TTL day + INTERVAL 400 DAY;
