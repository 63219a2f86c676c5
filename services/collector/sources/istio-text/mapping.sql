-- Istio's default text access log. Envoy escapes no quotes in text, so a client could forge the fields behind its user agent:
-- the line is split at its quotes and taken only when there are exactly as many as the format has.
SELECT
  * EXCEPT (q, head, request, result, counts, tail),
  multiIf(
    unwrap_reject != '', unwrap_reject,
    NOT startsWith(text, '['), 'not_an_access_log',
    length(q) < 15, if(length(q) = 13, 'envoy_default_text', 'line_cut'),
    length(q) > 15, 'ambiguous_quotes',
    length(tail) != 6 OR length(counts) != 4 OR length(result) < 3, 'fields_missing',
    '') AS field_reject,
  substring(head, 2, length(head) - 2) AS start_time,
  {request_line},
  result[1] AS status_text, result[2] AS flags_text, if(length(result[3]) > 1, result[3], result[4]) AS details,
  toUInt64OrZero(counts[1]) AS bytes_received, toUInt64OrZero(counts[2]) AS bytes_sent, toUInt64OrZero(counts[3]) AS duration,
  q[6] AS x_forwarded_for, q[8] AS user_agent_text, q[10] AS request_id_text, q[12] AS authority_text, q[14] AS upstream_host,
  tail[1] AS upstream_cluster, tail[2] AS upstream_local, tail[3] AS downstream_local, tail[4] AS downstream_remote, tail[4] AS client_remote, tail[5] AS sni_text,
  {text_untold}
FROM (
  SELECT
    *,
    splitByChar('"', text) AS q,
    trimBoth(q[1]) AS head,
    splitByChar(' ', q[2]) AS request,
    splitByChar(' ', trimBoth(q[3])) AS result,
    splitByChar(' ', trimBoth(q[5])) AS counts,
    splitByChar(' ', trimBoth(q[15])) AS tail
  FROM ({unwrap})
)
