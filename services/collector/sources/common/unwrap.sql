-- What stands around a log line, taken off: the container runtime's prefix (CRI, `kubectl logs --timestamps --prefix`), and the
-- JSON object of a shipper (Fluent Bit's and Docker's `log`, Vector's `message`, or the fields merged into it) whose
-- `kubernetes` part says which pod wrote it. An application can print what looks like a proxy's line, so a container that
-- is named is a proxy's, or its lines are refused.
-- Yields: the landing columns, `text` (the proxy's own line), `pod_namespace`, `pod_workload`, `unwrap_reject`.
SELECT
  * EXCEPT (stripped, wrapper, inner, pod_name, pod_owner, container, line_reject),
  multiIf(
    line_reject != '', line_reject,
    container != '' AND NOT match(container, '{containers}'), 'not_a_proxy_container',
    '') AS unwrap_reject,
  -- A pod's name without the hashes of its ReplicaSet, DaemonSet or StatefulSet, where no shipper names the owner.
  multiIf(
    pod_owner != '' AND startsWith(pod_owner, 'ReplicaSet/'), replaceRegexpOne(substring(pod_owner, 12), '-[a-z0-9]{5,10}$', ''),
    position(pod_owner, '/') > 0, substring(pod_owner, position(pod_owner, '/') + 1),
    pod_name != '', replaceRegexpOne(pod_name, '(-[bcdfghjklmnpqrstvwxz2456789]{5,10})?-([bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]{1,4})$', ''),
    '') AS pod_workload
FROM (
  SELECT
    * EXCEPT (is_wrapped),
    if(is_wrapped, JSONExtract(stripped, 'Tuple(log String, message String, kubernetes Tuple(namespace_name String, pod_namespace String, pod_name String, pod_owner String, container_name String))'),
       defaultValueOfTypeName('Tuple(log String, message String, kubernetes Tuple(namespace_name String, pod_namespace String, pod_name String, pod_owner String, container_name String))')) AS wrapper,
    trimRight(if(wrapper.log != '', wrapper.log, wrapper.message), '\r\n') AS inner,
    multiIf(inner = '', stripped, startsWith(inner, '{') OR startsWith(inner, '['), inner, {unprefixed:inner}) AS text,
    if(wrapper.kubernetes.namespace_name != '', wrapper.kubernetes.namespace_name, wrapper.kubernetes.pod_namespace) AS pod_namespace,
    wrapper.kubernetes.pod_name AS pod_name,
    wrapper.kubernetes.pod_owner AS pod_owner,
    if(wrapper.kubernetes.container_name != '', wrapper.kubernetes.container_name, extract(line, '^\\[pod/[^\\]/]*/([^\\]]*)\\]')) AS container
  FROM (
    SELECT
      *,
      multiIf(
        length(line) > 262144, 'line_too_long',
        NOT isValidUTF8(line), 'not_utf8',
        match(line, '^(\\[pod/[^\\]]*\\] )?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+) (stdout|stderr) P '), 'partial_line',
        '') AS line_reject,
      multiIf(
        line_reject != '', '',
        startsWith(line, '{'), line,
        startsWith(line, '[') AND NOT startsWith(line, '[pod/'), line,
        {unprefixed:line}) AS stripped,
      startsWith(stripped, '{') AND (position(stripped, '"log":') > 0 OR position(stripped, '"message":') > 0 OR position(stripped, '"kubernetes":') > 0) AS is_wrapped
    FROM {landing}
    WHERE line != '' AND line != '\r'
  )
)
