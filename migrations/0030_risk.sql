-- What users do, by the day: what a user's behaviour is judged by, and today's is judged. Workloads need no table of their own: the
-- operations of their edges say the same.

-- Only what cannot be forged by who sends telemetry of his own: the user's token was verified by a proxy whose word counts as
-- `verified`, at the callee or a gateway, and nobody refused it (401). Values stand side by side in a row, and a dimension is read as the
-- sum over the others: apart, they would be as many rows as there are dimensions.
-- `hour`: of the week, 0 to 167, from Monday, 00:00 UTC on. `login`: the token's `auth_time`; issuer, subject and login are a session.
-- `network`: the client's /24, /48 of IPv6. `updated`: when it was last loaded, so that a job finds what is new. `groups`: a JSON list, as the last
-- token had it: texts of few kinds, for an array in each row cost as much as all that is counted.
-- ORDER BY: by day, for today is judged again and again, and few days make it quick to find one user's. Owner: collector (view).
-- TTL: as the facts (services/store/retention.ts): it tells as much of people.
CREATE TABLE IF NOT EXISTS user_activity {on_cluster} (
  day Date CODEC(Delta(2), ZSTD(1)), tenant LowCardinality(String), user_issuer LowCardinality(String), user_subject String CODEC(ZSTD(1)),
  hour UInt8 CODEC(ZSTD(1)), login DateTime('UTC') CODEC(ZSTD(1)), destination_namespace LowCardinality(String), destination_workload LowCardinality(String),
  destination_service LowCardinality(String), method LowCardinality(String), shape LowCardinality(String), network IPv6 CODEC(ZSTD(1)),
  user_agent LowCardinality(String), acr LowCardinality(String),
  requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), denied SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  not_found SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)), bytes_out SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
  groups SimpleAggregateFunction(anyLast, LowCardinality(String)),
  first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(ZSTD(1)), last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
  updated SimpleAggregateFunction(max, DateTime('UTC')) CODEC(ZSTD(1)), loaded SimpleAggregateFunction(max, Date) DEFAULT today() CODEC(ZSTD(1))
) ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(day)
ORDER BY (day, tenant, user_issuer, user_subject, hour, login, destination_namespace, destination_workload, destination_service, method, shape, network, user_agent, acr)
TTL loaded + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 268435456, {dedup};

-- Not grouped: the rows of one insert that are alike are made one as it is written.
CREATE MATERIALIZED VIEW IF NOT EXISTS user_activity_of_parsed {on_cluster} TO user_activity AS
SELECT
  toDate(time) AS day, tenant, user_issuer, user_subject, toUInt8(intDiv(toUnixTimestamp(toDateTime(time, 'UTC')) + 259200, 3600) % 168) AS hour, auth_time AS login,
  destination_namespace, destination_workload, destination_service, method, shape,
  tupleElement(IPv6CIDRToRange(client_address, if(startsWith(toString(client_address), '::ffff:'), 120, 48)), 1) AS network,
  user_agent, acr, toUInt64(decision != 'denied') AS requests, toUInt64(decision = 'denied') AS denied,
  toUInt64(decision != 'denied' AND (status IN (404, 405) OR grpc_status = 12)) AS not_found, bytes_out, toJSONString(arraySlice(user_groups, 1, 64)) AS groups,
  time AS first_seen, time AS last_seen, now() AS updated
FROM parsed_request
WHERE user_subject != '' AND reject_reason = '' AND stage = 'end' AND evidence_cap >= 4 AND reporter IN ('destination', 'gateway') AND status != 401;

-- What each day of an entity was judged to be; the last word counts. `whole`, `added`: the day's own nats in both readings; `risk_…`:
-- with what is left of the days before, at `last_seen`; `limit_…`: what was MEDIUM then. `terms`: JSON, what they are made of.
-- `vouched`: what was seen before counts no more, by a phishing-resistant login or by somebody's word. Nothing is learned from a day at
-- MEDIUM or above. ORDER BY: the latest days of one entity are asked for.
-- TTL: evidence is read for some ten days, what is usual for sixty; the record of who vouched for what is kept longer. Owner: analyzer.
CREATE TABLE IF NOT EXISTS risk_day {on_cluster} (
  tenant LowCardinality(String), kind Enum8('user' = 0, 'workload' = 1, 'device' = 2, 'session' = 3), entity String CODEC(ZSTD(1)), day Date CODEC(Delta(2), ZSTD(1)),
  level Enum8('UNKNOWN' = 0, 'LOW' = 1, 'MEDIUM' = 2, 'HIGH' = 3), is_known Bool, why String CODEC(ZSTD(1)), maturity Float32,
  whole Float64, added Float64, risk_whole Float64, risk_added Float64, limit_whole Float64, limit_added Float64,
  last_seen DateTime64(3, 'UTC'), terms String CODEC(ZSTD(1)),
  vouched DateTime64(3, 'UTC'), vouched_by String, vouched_why String, judged DateTime64(3, 'UTC')
) ENGINE = {engine:ReplacingMergeTree}(judged)
PARTITION BY toYYYYMM(day) ORDER BY (tenant, kind, entity, day) TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};
