-- HAProxy: `option httplog`, `option httpslog`, `option tcplog` and the lines of connections that failed before a request, bare
-- or behind a syslog header. HAProxy writes quotes, `#` and what is no printable ASCII as #HH, so its own quotes are certain.
SELECT
  * REPLACE (
    multiIf(
      unwrap_reject != '', unwrap_reject,
      form != '', '',
      match(body, '^[^ ]+:[0-9]+ \\[[^\\]]+\\] [^ ]+ [^ ]+/[^ ]+ [0-9/+-]+ '), 'line_cut',
      'not_an_access_log') AS field_reject,
    -- HAProxy writes its local time without a zone: it is taken for UTC.
    parseDateTime64BestEffortOrNull(replaceOne(replaceAll(part[2], '/', ' '), ':', ' '), 6, 'UTC') AS parsed_time,
    if(own, 'destination', 'gateway') AS reporter, 'gateway' AS enforcement_point,
    if(startsWith(part[1], 'unix:'), '', replaceRegexpOne(part[1], ':[0-9]+$', '')) AS source_address_text, {port:part[1]} AS source_port,
    if(own, pod_workload, '') AS destination_workload, if(own, pod_namespace, '') AS destination_namespace,
    if(own, '', part[4]) AS destination_service,
    if(form = 'http', 'http', 'tcp') AS protocol,
    if(is_request, request[1], '') AS method,
    -- A raw `#` begins a fragment, the other bytes are written in the way of paths.
    if(is_request, replaceAll(replaceRegexpAll(extract(part[9], '^[^ ]+ (.*?)(?: HTTP/[0-9.]+)?$'), '#([013-9A-F][0-9A-F]|2[0-24-9A-F])', '%\\1'), '#23', '#'), '') AS path_text,
    if(is_request AND position(part[9], '#') > 0, 512, 0) AS more_path_flags,
    toUInt16OrZero(part[7]) AS status, if(refused, 'denied', 'allowed') AS decision,
    multiIf(NOT refused, '', form = 'error', part[6], part[9] = '<BADREQ>', 'bad_request', ended) AS decided_by,
    if(match(ended, '^-*$'), '', ended) AS response_flags,
    toUInt64OrZero(trimLeft(splitByChar('/', part[6])[-1], '+')) * 1000 AS duration_us, toUInt64OrZero(trimLeft(part[8], '+')) AS bytes_out,
    if(length(tls) = 3 AND tls[1] != '-', lower(tls[1]), '') AS sni, if(length(tls) = 3 AND tls[2] != '-', tls[2], '') AS tls_version,
    -- `frontend~` came over TLS. Whether with a client's certificate no format of HAProxy's own tells.
    if(own AND NOT endsWith(part[3], '~') AND form != 'error', 'no', 'unknown') AS mtls
  )
FROM (
  SELECT
    *,
    {untold},
    multiIf(length(http) > 0, 'http', length(tcp) > 0, 'tcp', length(error) > 0, 'error', '') AS form,
    -- client, date, frontend, backend, server, timers, status, bytes, request or state
    multiIf(form = 'http', http, form = 'tcp', [tcp[1], tcp[2], tcp[3], tcp[4], tcp[5], tcp[6], '', tcp[7], ''], form = 'error', [error[1], error[2], error[3], '', '<NOSRV>', error[4], '', '', ''], emptyArrayString()) AS part,
    multiIf(form = 'http', http[10], form = 'tcp', tcp[8], '') AS ended,
    splitByChar('/', http[11]) AS tls,
    splitByChar(' ', part[9]) AS request,
    form = 'http' AND part[9] != '<BADREQ>' AND match(request[1], '^[A-Za-z_-]{{}1,32{}}$') AS is_request,
    form = 'error' OR startsWith(part[5], '<') AND part[4] IN ('', trimRight(part[3], '~')) AS own,
    form = 'error' OR startsWith(ended, 'P') OR part[9] = '<BADREQ>' AS refused
  FROM (
    SELECT
      *,
      extractGroups(body, concat('^([^ ]+:[0-9]+) \\[([0-9]{{}2{}}/[A-Z][a-z]{{}2{}}/[0-9]{{}4{}}:[0-9:.]+)\\] ([^ ]+) ', '([^ /]+)/([^ ]+) (-?[0-9]+/-?[0-9]+/-?[0-9]+/-?[0-9]+/\\+?-?[0-9]+) (-1|[0-9]{{}3{}}) (\\+?[0-9]+) [^ ]+ [^ ]+ ',
        '([A-Za-z-]{{}4{}}) [0-9]+/[0-9]+/[0-9]+/[0-9]+/\\+?[0-9]+ [0-9]+/[0-9]+(?: \\{{}[^{{}{}}]*\\{}}){{}0,2{}} "([^"]*)"',
        '(?: [0-9-]+/[0-9A-Fa-f-]+/[0-9-]+/[0-9-]+/[0-9-]+ ([^ /]*/[^ /]*/[^ ]*))?$')) AS matched,
      if(length(matched) = 0, emptyArrayString(), [matched[1], matched[2], matched[3], matched[4], matched[5], matched[6], matched[7], matched[8], matched[10], matched[9], matched[11]]) AS http,
      extractGroups(body, concat('^([^ ]+:[0-9]+) \\[([0-9]{{}2{}}/[A-Z][a-z]{{}2{}}/[0-9]{{}4{}}:[0-9:.]+)\\] ([^ ]+) ', '([^ /]+)/([^ ]+) (-?[0-9]+/-?[0-9]+/\\+?-?[0-9]+) (\\+?[0-9]+) ([A-Za-z-]{{}2{}}) [0-9]+/[0-9]+/[0-9]+/[0-9]+/\\+?[0-9]+ [0-9]+/[0-9]+$')) AS tcp,
      extractGroups(body, '^([^ ]+:[0-9]+) \\[([0-9]{{}2{}}/[A-Z][a-z]{{}2{}}/[0-9]{{}4{}}:[0-9:.]+)\\] ([^ /]+)/[^ ]+: ([A-Za-z][A-Za-z0-9 ,.()_-]{{}1,120{}})$') AS error
    FROM (
      SELECT
        *,
        -- `<134>Nov 24 15:00:00 host haproxy[123]: `
        replaceRegexpOne(text, '^(<[0-9]{{}1,3{}}>)?[^\\[\\]]{{}0,200{}}\\[[0-9]+\\]: ', '') AS body
      FROM ({unwrap})
    )
  )
)
