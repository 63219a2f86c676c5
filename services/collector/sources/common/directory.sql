-- An event's fields, named as the table names them, to a row of it: for all directories, identity providers and posture systems. What is
-- secret goes, sessions and tokens become hashes, and what cannot be is rejected.
SELECT
  batch, sender, cluster, tenant,
  multiIf(
    unwrap_reject != '', unwrap_reject,
    event = '', 'no_event',
    field_reject != '', field_reject,
    action = '', 'no_action',
    actor_id = '' AND actor_name = '', 'no_actor',
    length(action) > 256 OR greatest(length(actor_id), length(actor_name), length(actor_client), length(actor_device), length(event_id_text)) > 1024
      OR arrayExists(t -> length(t.1) > 256, targets) OR arrayExists(c -> length(c.1) > 64, correlations), 'name_too_long',
    told != time_zero AND told > now() + INTERVAL 1 DAY, 'time_in_future',
    told != time_zero AND told < toDateTime64('2010-01-01 00:00:00', 6, 'UTC'), 'time_too_old',
    speaks_for != '' AND NOT match(concat(pod_namespace, '/', pod_workload), speaks_for), 'sender_may_not',
    '') AS reject_reason,
  if(reject_reason != '', {redacted}, '') AS line,
  if(told = time_zero, now64(6, 'UTC'), told) AS time, told != time_zero AS time_told,
  event_id_text AS event_id,
  category, action, outcome, substringUTF8({secrets:reason}, 1, 1024) AS reason,
  actor_id, actor_type, actor_name, toIPv6OrDefault(if(isIPv6String(actor_address), actor_address, {host:actor_address})) AS actor_address, actor_client, substringUTF8(actor_agent, 1, 512) AS actor_agent, actor_device,
  arrayMap(t -> (t.1, {secrets:t.2}, {secrets:t.3}), arrayFilter(t -> t.2 != '' OR t.3 != '', targets)) AS targets,
  -- What an attribute that opens doors was and is now nobody needs to know; that it changed, they do.
  arrayMap(c -> if(match(c.1, '(?i)(password|secret|token|private.?key|passcode)'),
      (c.1, if(c.2 = '', '', '<redacted>'), if(c.3 = '', '', '<redacted>')),
      (c.1, {secrets:c.2}, {secrets:c.3})), changes) AS changes,
  arrayMap(c -> (c.1, if(c.1 IN ('session', 'token'), substring(lower(hex(HMAC('sha256', c.2, key))), 1, 32), substring(c.2, 1, 1024))),
    arrayDistinct(arrayFilter(c -> c.2 NOT IN ('', '-', 'null', 'unknown'), correlations))) AS correlations,
  {secrets:event} AS event
FROM (
  SELECT
    *,
    toDateTime64(0, 6, 'UTC') AS time_zero,
    ifNull(parseDateTime64BestEffortOrNull(time_text, 6, 'UTC'), time_zero) AS told,
    (SELECT any(key) FROM (SELECT key FROM correlation_key ORDER BY made LIMIT 1)) AS key
  FROM ({fields})
)
