-- A span to the narrow row that pairing needs: keys, service, kind, and the operation as this side tells it, with a rank for how
-- well it is known (3 the path itself, 2 a route, 1 the span's name, 0 not at all).
SELECT
  batch, sender, cluster, reject_reason, if(reject_reason != '', {redacted}, '') AS line,
  time, span_key, parent_key, if(end_ns > start_ns, intDiv(end_ns - start_ns, 1000), 0) AS duration_us,
  namespace, service, workload, kind, protocol, method,
  concat(multiIf(path_rank = 0, '', path_rank = 3, {shape:raw_path}, path_rank = 2, route, named_path), if(operation = '', '', concat('#', operation))) AS path,
  multiIf(path_rank = 0, 0, path_rank = 3, {path_flags:raw_path:raw_target}, bitOr(if(endsWith(path_told, '/') AND path_told != '/', 32, 0), if(path_rank = 2 OR position(path_told, '{') > 0, 1024, 0))) AS path_flags,
  path_rank, status, is_database, trace_id
FROM (
  SELECT
    * EXCEPT (head),
    if(head != '', head, name) AS line,
    multiIf(
      line_reject != '', line_reject,
      -- What is no hexadecimal digit would be read as some: unrelated spans would meet.
      length(trace_id) != 16 OR trace_id = unhex('00000000000000000000000000000000') OR (length(trace_text) = 32 AND NOT match(trace_text, '^[0-9a-fA-F]+$')), 'bad_trace_id',
      length(span_id) != 8 OR span_id = unhex('0000000000000000') OR (length(span_text) = 16 AND NOT match(span_text, '^[0-9a-fA-F]+$')), 'bad_span_id',
      service = '', 'no_service_name',
      speaks_for != '' AND NOT match(concat(namespace, '/', workload), speaks_for), 'sender_may_not',
      start_ns = 0, 'bad_time',
      time > now() + INTERVAL 1 DAY, 'time_in_future',
      time < toDateTime64('2010-01-01 00:00:00', 6, 'UTC'), 'time_too_old',
      length(service) > 253 OR length(raw_path) > 16384, 'too_long',
      '') AS reject_reason,
    -- Keyed with the trace, so that a span id that two traces share pairs nothing.
    sipHash64(trace_id, span_id) AS span_key,
    if(length(parent_id) = 8 AND parent_id != unhex('0000000000000000'), sipHash64(trace_id, parent_id), 0) AS parent_key,
    multiIf(grpc_path != '', 'grpc', http_method != '' OR raw_path != '' OR route != '' OR named_method != '', 'http', 'unknown') AS protocol,
    multiIf(grpc_path != '', 'POST', http_method != '', http_method, named_method) AS method,
    multiIf(grpc_path != '', 1, is_database, 0, raw_path != '' AND NOT route_fits, 3, route != '', 2, named_path != '', 1, 0) AS rank,
    rank AS path_rank, if(rank = 2, route, named_path) AS path_told,
    multiIf(
      rpc_system = 'jsonrpc', if(length(rpc_method) <= 64 AND match(rpc_method, '^[_A-Za-z][_0-9A-Za-z]*(?:[./-][_0-9A-Za-z]+)*$'), rpc_method, ''),
      graphql_type != '' OR graphql_name != '', trimBoth(concat(if(graphql_type IN ('query', 'mutation', 'subscription'), graphql_type, ''), ' ', {graphql_name:graphql_name})),
      {operation_name:raw_target}) AS operation
  FROM (
    SELECT
      * EXCEPT (route_reported, name_path),
      if(grpc_path != '', grpc_path, {path_secrets:cutFragment(name_path)}) AS named_path,
      -- Frameworks write parameters in many ways; here they are all `name` in braces.
      replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(cutFragment(route_reported),
        '<(?:[a-z_]+:)?([A-Za-z_][A-Za-z0-9_]*)>', '{{}\\1{}}'),
        '/:([A-Za-z_][A-Za-z0-9_]*)', '/{{}\\1{}}'),
        '\\{{}([A-Za-z_][A-Za-z0-9_]*)[:?=][^/{}]*\\{}}', '{{}\\1{}}'),
        '/\\[([A-Za-z_][A-Za-z0-9_]*)\\]', '/{{}\\1{}}') AS route,
      raw_path = '' OR (route != '' AND position(route, '*') = 0 AND length(splitByChar('/', route)) = length(splitByChar('/', raw_path))) AS route_fits
    FROM (
      SELECT
        * EXCEPT (name_words),
        if(is_http_name, name_words[2], if(startsWith(name, '/') AND NOT match(name, '\\s'), name, '')) AS name_path,
        if(is_http_name, name_words[1], if(length(name_words) = 2 AND name_words[1] = 'HTTP' AND match(name_words[2], '^[A-Z]{3,7}$'), name_words[2], '')) AS named_method,
        multiIf(
          rpc_system = 'grpc' AND rpc_service != '', concat('/', rpc_service, '/', splitByChar('/', rpc_method)[-1]),
          rpc_system = 'grpc' AND position(rpc_method, '/') > 0, concat('/', trimLeft(rpc_method, '/')),
          rpc_system IN ('', 'grpc') AND http_method IN ('', 'POST') AND route_reported = '' AND NOT is_database, if(grpc_name[1] != '', concat('/', grpc_name[1], '/', grpc_name[2]), ''),
          '') AS grpc_path
      FROM (
        SELECT
          *,
          if(length(trace_text) = 32, unhex(trace_text), if(length(trace_text) = 24, tryBase64Decode(trace_text), trace_text)) AS trace_id,
          if(length(span_text) = 16, unhex(span_text), if(length(span_text) = 12, tryBase64Decode(span_text), span_text)) AS span_id,
          if(length(parent_text) = 16, unhex(parent_text), if(length(parent_text) = 12, tryBase64Decode(parent_text), parent_text)) AS parent_id,
          fromUnixTimestamp64Micro(toInt64(least(intDiv(start_ns, 1000), 9000000000000000)), 'UTC') AS time,
          transform(replaceOne(kind_text, 'SPAN_KIND_', ''), ['1', 'INTERNAL', '2', 'SERVER', '3', 'CLIENT', '4', 'PRODUCER', '5', 'CONSUMER'],
            ['internal', 'internal', 'server', 'server', 'client', 'client', 'producer', 'producer', 'consumer', 'consumer'], 'unspecified') AS kind,
          if({attribute:http.request.method} != '', {attribute:http.request.method}, {attribute:http.method}) AS reported_method,
          if(reported_method = '_OTHER', {attribute:http.request.method_original}, reported_method) AS http_method,
          multiIf(
            {attribute:url.path} != '', {attribute:url.path},
            {attribute:http.target} != '', {attribute:http.target},
            {attribute:url.full} != '', pathFull({attribute:url.full}),
            {attribute:http.url} != '', pathFull({attribute:http.url}), '') AS raw_target,
          cutFragment(cutQueryString(raw_target)) AS sent_path,
          {path_secrets:sent_path} AS raw_path,
          if({attribute:http.route} != '', {attribute:http.route}, {attribute:url.template}) AS route_text,
          if(route_text = '' OR startsWith(route_text, '/'), route_text, concat('/', route_text)) AS route_told,
          {path_secrets:route_told} AS route_reported,
          if({attribute:rpc.system.name} != '', {attribute:rpc.system.name}, {attribute:rpc.system}) AS rpc_system,
          {attribute:rpc.service} AS rpc_service, {attribute:rpc.method} AS rpc_method,
          lower({attribute:graphql.operation.type}) AS graphql_type, {attribute:graphql.operation.name} AS graphql_name,
          has(keys, 'db.system') OR has(keys, 'db.system.name') AS is_database,
          toUInt16OrZero(multiIf(
            {attribute:http.response.status_code} != '', {attribute:http.response.status_code},
            {attribute:http.status_code} != '', {attribute:http.status_code},
            has(keys, 'http.response.status_code'), toString({integer:http.response.status_code}), toString({integer:http.status_code}))) AS status,
          splitByChar(' ', name) AS name_words,
          length(name_words) = 2 AND match(name_words[1], '^[A-Z]{3,7}$') AND startsWith(name_words[2], '/') AS is_http_name,
          -- `hipstershop.CartService/GetCart`, `grpc.pkg.Service/Method`, `/pkg.Service/Method`; the service has a dot and an upper-case last name.
          if(position(name, '/') > 0 AND position(name, '.') > 0, extractGroups(name, '^(?:grpc\\.)?/?((?:[A-Za-z_][A-Za-z0-9_]*\\.)+[A-Z][A-Za-z0-9_]*)/([A-Za-z_][A-Za-z0-9_]*)$'), []) AS grpc_name
        FROM ({spans})
      )
    )
  )
)
