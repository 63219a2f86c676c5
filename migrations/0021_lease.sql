-- Who may do what only one may do at a time: two analyzers on one server would each learn templates from what the other is writing.
-- Owner: store (lease.ts). `term` counts whoever had it, one after another; a term's first row is the only one, for it is inserted under a
-- token made of it. `until`: by the server's clock.
-- ORDER BY: one row for a name, the last term wins. No TTL: a term must not come again.
CREATE TABLE IF NOT EXISTS lease {on_cluster} (name LowCardinality(String), term UInt64, holder String, until DateTime64(3, 'UTC'))
ENGINE = {engine:ReplacingMergeTree}(term) ORDER BY name
SETTINGS {dedup};
