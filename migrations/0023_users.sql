-- Which users called, by the edge, operation and hour: what conditions on users are made of and replayed on when the facts are gone.
-- Owner: collector (views). Lines without a user are passed over by a filter; what carried none is what `operation_usage` has more.
-- While this runs no other process may write to the store: between the backfill and the views a fact would not be counted.

-- A class of users is what conditions look at: the token's issuer, its `acr`, how long ago the user authenticated, and the groups.
-- `age_s`: that many seconds ago at most, of a few bounds (services/model/users.ts), 4294967295 for longer, 0 where nobody told.
-- A token that was not accepted (401) tells nothing of its user: a class without an issuer, groups and users.
-- `groups`: a JSON list, sorted, without doubles. Text, not the id of a set in another table: its dictionary holds it once a part, and a
-- view that filled another table would look at each fact again. `more_groups`: there were more, or longer ones, than are kept.
-- `users`: who it was is not kept, only how many: each user whose request was served sets one of 256 bits, which others set, too; the share of those that are
-- not set tells the number (linear counting; Whang, Vander-Zanden and Taylor 1990), and sums over anything are no more than an OR.
-- ORDER BY: as operation_usage, which it is read beside. TTL: as operation_usage (services/store/retention.ts).
CREATE TABLE IF NOT EXISTS user_usage {on_cluster} (
  edge FixedString(16), hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
  method LowCardinality(String), shape String CODEC(ZSTD(1)), path_flags UInt16,
  issuer LowCardinality(String), acr LowCardinality(String), age_s UInt32 CODEC(ZSTD(1)), groups LowCardinality(String), more_groups Bool,
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  not_found SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), users SimpleAggregateFunction(groupBitOr, UInt256) CODEC(ZSTD(1)),
  loaded SimpleAggregateFunction(max, Date) DEFAULT today() CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(hour) ORDER BY (edge, method, shape, hour, path_flags, issuer, acr, age_s, groups, more_groups)
TTL loaded + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- Since when the one who reports an edge tells of users, and what of them. A request without a user says something only where users
-- would have been told: a proxy that verifies no tokens tells of none. ORDER BY: one row an edge. TTL: as user_usage.
CREATE TABLE IF NOT EXISTS user_teller {on_cluster} (
  edge FixedString(16), since SimpleAggregateFunction(min, DateTime('UTC')),
  tells_acr SimpleAggregateFunction(max, Bool), tells_age SimpleAggregateFunction(max, Bool), tells_groups SimpleAggregateFunction(max, Bool),
  loaded SimpleAggregateFunction(max, Date) DEFAULT today()
) ENGINE = {engine:AggregatingMergeTree} ORDER BY edge TTL loaded + INTERVAL 400 DAY
SETTINGS {dedup};

-- What of a fact tells the class; groups are cut to what a token of honest size has.
ALTER TABLE request {on_cluster}
  ADD COLUMN IF NOT EXISTS has_user Bool ALIAS user_issuer != '' OR user_subject != '' OR notEmpty(user_groups) OR decision = 'denied' AND status = 401,
  ADD COLUMN IF NOT EXISTS user_age Int64 ALIAS toInt64(toUnixTimestamp(time)) - toInt64(toUnixTimestamp(auth_time)),
  ADD COLUMN IF NOT EXISTS user_age_s UInt32 ALIAS multiIf(
    auth_time = toDateTime(0, 'UTC'), 0, user_age <= 300, 300, user_age <= 900, 900, user_age <= 3600, 3600, user_age <= 14400, 14400,
    user_age <= 28800, 28800, user_age <= 86400, 86400, user_age <= 604800, 604800, 4294967295),
  ADD COLUMN IF NOT EXISTS kept_groups Array(String) ALIAS
    arraySlice(arrayFilter(name -> length(name) <= 256, arraySort(arrayDistinct(user_groups))), 1, 64),
  ADD COLUMN IF NOT EXISTS user_mark UInt256 ALIAS
    if(user_subject = '' OR decision = 'denied' OR status IN (404, 405) OR grpc_status = 12, toUInt256(0), bitShiftLeft(toUInt256(1), toUInt8(sipHash64(user_issuer, user_subject) % 256)));

-- What the facts tell of before; only into an empty table, in one block, so that a migration that was cut off counts nothing twice.
INSERT INTO user_usage (edge, hour, method, shape, path_flags, issuer, acr, age_s, groups, more_groups, requests, denied, not_found, users)
SELECT
  edge, toStartOfHour(time) AS hour, method, shape, path_flags, user_issuer AS issuer, acr, user_age_s AS age_s, toJSONString(kept_groups) AS groups,
  length(kept_groups) < length(arrayDistinct(user_groups)) AS more_groups,
  countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied,
  countIf(decision != 'denied' AND (status IN (404, 405) OR grpc_status = 12)) AS not_found, groupBitOr(user_mark) AS users
FROM request WHERE stage = 'end' AND has_user AND (SELECT count() FROM user_usage) = 0
GROUP BY edge, hour, method, shape, path_flags, issuer, acr, age_s, groups, more_groups
SETTINGS min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0;

INSERT INTO user_teller (edge, since, tells_acr, tells_age, tells_groups)
SELECT edge, min(hour), max(acr != ''), max(age_s != 0), max(groups != '[]' OR more_groups) FROM user_usage WHERE issuer != '' OR users != 0 OR groups != '[]' GROUP BY edge;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_usage_of_request {on_cluster} TO user_usage AS
SELECT
  edge, toStartOfHour(time) AS hour, method, shape, path_flags, user_issuer AS issuer, acr, user_age_s AS age_s, toJSONString(kept_groups) AS groups,
  length(kept_groups) < length(arrayDistinct(user_groups)) AS more_groups,
  countIf(decision != 'denied') AS requests, countIf(decision = 'denied') AS denied,
  countIf(decision != 'denied' AND (status IN (404, 405) OR grpc_status = 12)) AS not_found, groupBitOr(user_mark) AS users
FROM request WHERE stage = 'end' AND has_user
GROUP BY edge, hour, method, shape, path_flags, issuer, acr, age_s, groups, more_groups;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_teller_of_usage {on_cluster} TO user_teller AS
SELECT edge, min(hour) AS since, max(acr != '') AS tells_acr, max(age_s != 0) AS tells_age, max(groups != '[]' OR more_groups) AS tells_groups
FROM user_usage WHERE issuer != '' OR users != 0 OR groups != '[]' GROUP BY edge;
