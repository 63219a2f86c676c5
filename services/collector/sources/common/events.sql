-- The events in a line. APIs give pages, and files hold what they gave: `value` of Graph, `records` of Event Hubs and CloudTrail,
-- `items` of Google, or a list. A page without events is told as one that is none.
-- Yields: the batch's columns, `line`, `event` (one event's JSON, or another text), `unwrap_reject`, `pod_namespace`, `pod_workload`.
SELECT
  batch, sender, cluster, tenant, evidence_cap, speaks_for, pod_namespace, pod_workload, unwrap_reject,
  event, if(length(events) > 1, event, line) AS line
FROM (
  SELECT
    *,
    multiIf(
      startsWith(document, '['), JSONExtractArrayRaw(document),
      page != '', JSONExtractArrayRaw(document, page),
      [document]) AS found,
    if(empty(found), [''], found) AS events
  FROM (
    SELECT
      *,
      -- An event may have a `message` of its own: only what is JSON again was wrapped by a shipper.
      trimBoth(if(startsWith(line, '{{}') AND NOT match(text, '^[[:space:]]*[{{}[]'), line, text), ' \t\r') AS document,
      if(startsWith(document, '{{}'), arrayFirst(key -> JSONType(document, key) = 'Array', ['value', 'records', 'Records', 'items', 'resources']), '') AS page
    FROM ({unwrapped})
  )
)
ARRAY JOIN events AS event
