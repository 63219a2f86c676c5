-- The life of policies: who did what and why, each entry bound to the one before by its hash. Owner: api; small, read whole.

-- `said` is JSON. `hash` is SHA-256 over the entry and, by `previous`, over all before it: what is changed, removed or put between
-- shows. An entry is written under a token made of its number, which the engine takes once: of two writers that continue the same entry,
-- one is refused. ORDER BY: read from its beginning. No TTL: what was approved must be known for as long as it may be asked.
CREATE TABLE IF NOT EXISTS policy_log {on_cluster} (
  seq UInt64, at String, who String, why String, said String CODEC(ZSTD(1)), previous String, hash String
) ENGINE = {engine:MergeTree} ORDER BY seq
SETTINGS {dedup};

-- What drafts say, as JSON in parts, of which their files are made; `digest` tells whether that still is what was approved, `version` is
-- the digest of the text: of one draft with another window's evidence there is another version.
-- ORDER BY: looked up by what it is. No TTL, as for the log.
CREATE TABLE IF NOT EXISTS policy_draft {on_cluster} (
  target LowCardinality(String), callee String, digest String, version String, part UInt32, parts UInt32, content String CODEC(ZSTD(1)),
  saved DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = {engine:ReplacingMergeTree}(saved) ORDER BY (target, callee, digest, version, part);
