-- Cilium Hubble's flows as `hubble observe -o json` and the exporter write them. A flow is an event of a packet or of an L7
-- message: facts are what opens something new (a connection, a request) and what was dropped; the rest is told as such.
-- (cilium api/v1/flow/flow.proto)
SELECT
  * REPLACE (
    multiIf(
      unwrap_reject != '', unwrap_reject,
      NOT startsWith(text, '{{}'), 'not_json',
      NOT isValidJSON(text), 'json_cut',
      f.IP.source = '' OR f.IP.destination = '', 'not_a_flow',
      f.verdict NOT IN ('FORWARDED', 'DROPPED', 'AUDIT', 'REDIRECTED', 'ERROR'), 'no_verdict',
      f.is_reply OR f.l7.type = 'RESPONSE' OR f.trace_reason = 'REPLY', 'reply_flow',
      dropped OR is_l7, '',
      (tcp.source_port != 0 AND has_flags AND (NOT tcp.flags.SYN OR tcp.flags.ACK)) OR (NOT tcp.flags.SYN AND f.trace_reason IN ('ESTABLISHED', 'RELATED')), 'no_new_connection',
      '') AS field_reject,
    parseDateTime64BestEffortOrNull(if(f.time != '', f.time, JSONExtractString(text, 'time')), 6, 'UTC') AS parsed_time,
    if(f.traffic_direction = 'INGRESS', callee_namespace, caller_namespace) AS reporter_namespace, if(f.traffic_direction = 'INGRESS', callee, caller) AS reporter_workload,
    'flow' AS reporter, 'node' AS enforcement_point,
    -- Cilium knows an address's workload from its own endpoints: nothing was proven by a certificate.
    if(caller != '', 'address', 'none') AS source_evidence, caller AS source_workload, caller_namespace AS source_namespace,
    f.source.cluster_name AS source_cluster, f.IP.source AS source_address_text, ports.1 AS source_port,
    callee AS destination_workload, callee_namespace AS destination_namespace,
    if(f.destination.cluster_name != '', f.destination.cluster_name, cluster) AS destination_cluster,
    multiIf(
      external, trimRight(f.destination_names[1], '.'),
      f.destination_service.name != '', trimRight(concat(f.destination_service.name, '.', f.destination_service.namespace), '.'), '') AS destination_service,
    f.IP.destination AS destination_address_text,
    if(external, ports.2, 0) AS service_port, ports.2 AS workload_port, if(external, 'external', 'internal') AS destination_kind,
    multiIf(is_http AND startsWith(header_content_type, 'application/grpc'), 'grpc', is_http, 'http', tcp.source_port != 0, 'tcp', 'unknown') AS protocol,
    f.l7.http.method AS method, f.l7.http.url AS path_text,
    multiIf(dropped, 'denied', f.verdict = 'AUDIT', 'would_deny', 'allowed') AS decision,
    multiIf(
      f.verdict = 'AUDIT', 'policy_audit', NOT dropped, '',
      denied_by.name != '', trimLeft(concat(denied_by.namespace, '/', denied_by.name), '/'),
      f.drop_reason_desc NOT IN ('', 'DROP_REASON_UNKNOWN'), lower(f.drop_reason_desc), is_l7, 'l7_policy', lower(f.verdict)) AS decided_by,
    arrayFirst(h -> lower(h.key) = 'user-agent', f.l7.http.headers).value AS user_agent_text,
    arrayFirst(h -> lower(h.key) = 'traceparent', f.l7.http.headers).value AS traceparent,
    arrayFirst(h -> lower(h.key) = 'x-request-id', f.l7.http.headers).value AS request_id_text
  )
FROM (
  SELECT
    *,
    {untold},
    f.l4.TCP AS tcp,
    position(text, '"flags":') > 0 AS has_flags,
    multiIf(tcp.source_port != 0, (tcp.source_port, tcp.destination_port), f.l4.UDP.source_port != 0, (f.l4.UDP.source_port, f.l4.UDP.destination_port), (f.l4.SCTP.source_port, f.l4.SCTP.destination_port)) AS ports,
    f.Type = 'L7' OR f.l7.type != '' AS is_l7, f.l7.http.method != '' AS is_http,
    f.verdict IN ('DROPPED', 'ERROR') AS dropped,
    lower(arrayFirst(h -> lower(h.key) = 'content-type', f.l7.http.headers).value) AS header_content_type,
    arrayConcat(f.ingress_denied_by, f.egress_denied_by)[1] AS denied_by,
    f.source.pod_name AS caller_pod, f.destination.pod_name AS callee_pod,
    if(f.source.workloads[1].name != '', f.source.workloads[1].name, {workload:caller_pod}) AS caller,
    if(f.destination.workloads[1].name != '', f.destination.workloads[1].name, {workload:callee_pod}) AS callee,
    f.source.namespace AS caller_namespace, f.destination.namespace AS callee_namespace,
    callee_pod = '' AND callee_namespace = '' AND arrayExists(l -> startsWith(l, 'reserved:world') OR startsWith(l, 'fqdn:') OR startsWith(l, 'cidr:'), f.destination.labels) AS external
  FROM (
    SELECT
      *,
      JSONExtract(text, 'flow', 'Tuple(time String, verdict String, drop_reason_desc String, IP Tuple(source String, destination String),
        l4 Tuple(TCP Tuple(source_port UInt16, destination_port UInt16, flags Tuple(SYN Bool, ACK Bool)), UDP Tuple(source_port UInt16, destination_port UInt16),
          SCTP Tuple(source_port UInt16, destination_port UInt16)),
        source Tuple(cluster_name String, namespace String, labels Array(String), pod_name String, workloads Array(Tuple(name String))),
        destination Tuple(cluster_name String, namespace String, labels Array(String), pod_name String, workloads Array(Tuple(name String))),
        Type String, destination_names Array(String), l7 Tuple(type String, http Tuple(method String, url String, headers Array(Tuple(key String, value String)))),
        traffic_direction String, is_reply Bool, trace_reason String, destination_service Tuple(name String, namespace String),
        egress_denied_by Array(Tuple(name String, namespace String)), ingress_denied_by Array(Tuple(name String, namespace String)))') AS f
    FROM ({unwrap})
  )
)
