-- What stands around a log line, taken off: the container runtime's prefix (CRI, `kubectl logs --timestamps --prefix`), and the
-- JSON object of a shipper (Fluent Bit's and Docker's `log`, Vector's `message`) whose `kubernetes` part says which pod wrote it.
-- Yields: the landing columns, `text` (the proxy's own line), `pod_namespace`, `pod_workload`, `unwrap_reject`.
SELECT
  * EXCEPT (stripped, wrapper, pod_name, pod_owner),
  -- A pod's name without the hashes of its ReplicaSet, DaemonSet or StatefulSet, where no shipper names the owner.
  multiIf(
    pod_owner != '' AND startsWith(pod_owner, 'ReplicaSet/'), replaceRegexpOne(substring(pod_owner, 12), '-[a-z0-9]{5,10}$', ''),
    position(pod_owner, '/') > 0, substring(pod_owner, position(pod_owner, '/') + 1),
    pod_name != '', replaceRegexpOne(pod_name, '(-[bcdfghjklmnpqrstvwxz2456789]{5,10})?-([bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]{1,4})$', ''),
    '') AS pod_workload
FROM (
  SELECT
    * EXCEPT (is_wrapped),
    if(is_wrapped, JSONExtract(stripped, 'Tuple(log String, message String, kubernetes Tuple(namespace_name String, pod_namespace String, pod_name String, pod_owner String))'),
       defaultValueOfTypeName('Tuple(log String, message String, kubernetes Tuple(namespace_name String, pod_namespace String, pod_name String, pod_owner String))')) AS wrapper,
    if(is_wrapped, trimRight(if(wrapper.log != '', wrapper.log, wrapper.message), '\r\n'), stripped) AS text,
    if(wrapper.kubernetes.namespace_name != '', wrapper.kubernetes.namespace_name, wrapper.kubernetes.pod_namespace) AS pod_namespace,
    wrapper.kubernetes.pod_name AS pod_name,
    wrapper.kubernetes.pod_owner AS pod_owner
  FROM (
    SELECT
      *,
      multiIf(
        length(line) > 262144, 'line_too_long',
        NOT isValidUTF8(line), 'not_utf8',
        match(line, '^(\\[pod/[^\\]]*\\] )?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+) (stdout|stderr) P '), 'partial_line',
        '') AS unwrap_reject,
      multiIf(
        unwrap_reject != '', '',
        startsWith(line, '{'), line,
        startsWith(line, '[') AND NOT startsWith(line, '[pod/'), line,
        replaceRegexpOne(line, '^(\\[pod/[^\\]]*\\] )?([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+) )?((stdout|stderr) F )?', '')) AS stripped,
      startsWith(stripped, '{') AND (position(stripped, '"log":') > 0 OR position(stripped, '"message":') > 0) AS is_wrapped
    FROM {landing}
    WHERE line != '' AND line != '\r'
  )
)
