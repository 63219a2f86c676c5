-- A log record to the line that an access log would have: its body where that is text, which the reader of its format takes, or its
-- keys (attributes, or a list as the body), which are looked up one by one. What is none of these is an application's log, and no request.
-- Pairs are taken apart by position, since JSON and protobuf name them differently: (key, (text, number, list)).
SELECT
  sender, tenant, batch, evidence_cap, speaks_for, cluster, pod_namespace, pod_workload, is_name_claimed, refused, body_text, '' AS unwrap_reject,
  has_keys, pair_keys AS keys, values, claims,
  -- An object without keys is read where the keys tell all, so that one reader does for both.
  multiIf(record_reject != '', '', has_keys, '{}', body_text) AS text_all,
  multiIf(
    record_reject != '', '',
    has_keys OR startsWith(body_text, '{'), 'istio-json',
    NOT startsWith(body_text, '['), '',
    countSubstrings(body_text, '"') = 12, 'envoy-text', 'istio-text') AS format,
  multiIf(
    line_reject != '', line_reject,
    body_text = '' AND empty(pair_keys), 'no_log_records',
    length(body_text) > 262144 OR length(all_told) > 262144, 'line_too_long',
    NOT isValidUTF8(body_text) OR NOT isValidUTF8(all_told), 'not_utf8',
    NOT has_keys AND NOT startsWith(body_text, '{') AND NOT startsWith(body_text, '['), 'not_an_access_log',
    container != '' AND NOT match(container, '{containers}'), 'not_a_proxy_container',
    '') AS record_reject,
  if(has_keys AND NOT has(pair_keys, 'start_time'), concat(toString(fromUnixTimestamp64Micro(toInt64(least(intDiv(time_ns, 1000), 9000000000000000)), 'UTC')), 'Z'), '') AS record_time
FROM (
  SELECT
    *,
    hasAny(pair_keys, ['start_time', 'upstream_cluster', 'response_code', 'response_flags', 'downstream_local_address']) AS has_keys,
    if(has_keys, {scalars:pair_values}, emptyArrayString()) AS values,
    arrayStringConcat(values, ' ') AS all_told,
    pair_values[indexOf(pair_keys, 'jwt')].3.1 AS claims
  FROM (
    SELECT * EXCEPT (pairs), pairs.1 AS pair_keys, pairs.2 AS pair_values
    FROM ({records})
  )
)
