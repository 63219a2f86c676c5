-- What was learned of each callee's operations, so that a question reads it and does not learn. Owner: analyzer (job learn_operations).

-- `role`: a template; a name that is too rare or has no place as a template, and that no template may swallow; or gone, what was one of
-- these in an earlier version. `version` counts what became of the template, `since` is the version of the callee's set that brought it,
-- `segments` JSON. ORDER BY: all of a callee are asked for; the last word wins. No TTL: a name must not be forgotten, nor its version.
CREATE TABLE IF NOT EXISTS operation_template {on_cluster} (
  callee String, id String, role Enum8('template' = 0, 'name' = 1, 'gone' = 2),
  method LowCardinality(String), operation String, path String, segments String CODEC(ZSTD(1)), version UInt32, since UInt32,
  paths UInt64, requests UInt64, callers Array(String), combinations Float64, unseen Float64, open Bool, istio String,
  first_seen String, written UInt64
) ENGINE = {engine:ReplacingMergeTree}(written) ORDER BY (callee, id);

-- One row a callee, written when its templates are: `usage`, `pins` and `learner` tell whether there is something new to learn from, the
-- counts what has no template and why. ORDER BY: looked up by the callee; the last word wins. No TTL, as for the templates.
CREATE TABLE IF NOT EXISTS template_set {on_cluster} (
  callee String, version UInt32, usage UInt64, pins String, learner UInt32, templates UInt32, paths UInt64, left_out_paths UInt64,
  rare_paths UInt64, rare_requests UInt64, full_paths UInt64, full_requests UInt64, untaught_paths UInt64, untaught_requests UInt64,
  written UInt64
) ENGINE = {engine:ReplacingMergeTree}(written) ORDER BY callee;

-- What became of templates, version by version; `from`: the earlier ones that had their paths; of one that is gone, those that have
-- them now. A job that was killed and runs again
-- writes the same rows. ORDER BY: a callee's history, in order. TTL: as long as operations are kept.
CREATE TABLE IF NOT EXISTS template_change {on_cluster} (
  callee String, version UInt32, id String, change Enum8('new' = 0, 'changed' = 1, 'gone' = 2), `from` Array(String), written UInt64
) ENGINE = {engine:ReplacingMergeTree}(written) ORDER BY (callee, version, id)
TTL toDate(fromUnixTimestamp64Milli(toInt64(written))) + INTERVAL 400 DAY;

-- What people said of a position; each word is kept, the last one of a position and method holds (`none` lifts it).
-- ORDER BY: those of a callee, in the order in which they were said. No TTL: a person's word outlasts the traffic.
CREATE TABLE IF NOT EXISTS operation_pin {on_cluster} (
  callee String, at String, method LowCardinality(String), kind Enum8('none' = 0, 'merge' = 1, 'split' = 2), who String, why String, said UInt64
) ENGINE = {engine:MergeTree} ORDER BY (callee, at, method, said);
