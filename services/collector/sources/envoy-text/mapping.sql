-- Envoy's default text access log: no cluster, no addresses but the upstream's, no server name. See istio-text for the quotes.
SELECT
  * EXCEPT (q, head, request, result),
  multiIf(
    unwrap_reject != '', unwrap_reject,
    NOT startsWith(text, '['), 'not_an_access_log',
    length(q) < 13, 'line_cut',
    length(q) > 13, if(length(q) = 15 AND trimBoth(q[15]) != '', 'istio_default_text', 'ambiguous_quotes'),
    length(result) != 6, 'fields_missing',
    '') AS field_reject,
  substring(head, 2, length(head) - 2) AS start_time,
  {request_line},
  result[1] AS status_text, result[2] AS flags_text, '' AS details,
  toUInt64OrZero(result[3]) AS bytes_received, toUInt64OrZero(result[4]) AS bytes_sent, toUInt64OrZero(result[5]) AS duration,
  q[4] AS x_forwarded_for, q[6] AS user_agent_text, q[8] AS request_id_text, q[10] AS authority_text, q[12] AS upstream_host,
  '' AS upstream_cluster, '' AS upstream_local, '' AS downstream_local, '' AS downstream_remote, '' AS client_remote, '' AS sni_text,
  {text_untold}
FROM (
  SELECT
    *,
    splitByChar('"', text) AS q,
    trimBoth(q[1]) AS head,
    splitByChar(' ', q[2]) AS request,
    splitByChar(' ', trimBoth(q[3])) AS result
  FROM ({unwrap})
)
