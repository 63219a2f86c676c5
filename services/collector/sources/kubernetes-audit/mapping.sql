-- The API server's audit log: `audit.k8s.io/v1` events, one JSON object a line. The API server is the callee, and it has
-- authenticated the caller itself. Bodies of requests and responses hold secrets: they are not read, nor kept with a reject.
-- (kubernetes staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go)
SELECT
  * REPLACE (
    if(position(line, 'Object') = 0, line, replaceRegexpOne(line, '\\\\*"(requestObject|responseObject)\\\\*":.*', '')) AS line,
    multiIf(
      unwrap_reject != '', unwrap_reject,
      NOT startsWith(text, '{{}'), 'not_an_audit_event',
      NOT isValidJSON(text), 'json_cut',
      e.kind != 'Event' OR NOT startsWith(e.apiVersion, 'audit.k8s.io/'), 'not_an_audit_event',
      e.verb = '' OR e.requestURI = '' OR username = '' OR e.stage = '', 'fields_missing',
      '') AS field_reject,
    received AS parsed_time,
    'kubernetes' AS reporter_workload, 'default' AS reporter_namespace,
    'destination' AS reporter,
    transform(e.stage, ['RequestReceived', 'ResponseStarted'], ['start', 'periodic'], 'end') AS stage,
    -- Service accounts, nodes and the control plane are callers; people are users of whatever they called with.
    multiIf(is_machine OR impersonated != '', username, '') AS source_principal,
    multiIf(source_principal_known, 'verified', 'none') AS source_evidence,
    if(startsWith(username, 'system:serviceaccount:'), splitByChar(':', username)[3], '') AS source_namespace,
    -- The last address is the connection's; those before it are what X-Forwarded-For claims.
    e.sourceIPs[-1] AS source_address_text, if(length(e.sourceIPs) > 1, e.sourceIPs[1], '') AS client_address_text,
    'kubernetes.default' AS destination_service, 'default' AS destination_namespace,
    'http' AS protocol, e.verb AS method, e.requestURI AS path_text, {shape:resource_path} AS shape_text,
    code AS status,
    if(refused, 'denied', 'allowed') AS decision,
    substring(multiIf(
      code = 401, 'authentication',
      refused AND verdict = 'allow', 'admission',
      e.annotations['authorization.k8s.io/reason']), 1, 512) AS decided_by,
    toUInt64(greatest(if(isNull(finished) OR isNull(received), 0, dateDiff('microsecond', assumeNotNull(received), assumeNotNull(finished))), 0)) AS duration_us,
    multiIf(impersonated != '', impersonated, is_machine OR is_anonymous, '', username) AS user_subject,
    multiIf(impersonated != '', e.impersonatedUser.groups, is_machine OR is_anonymous, emptyArrayString(), e.user.groups) AS user_groups,
    e.userAgent AS user_agent_text, e.auditID AS request_id_text
  )
FROM (
  SELECT
    *,
    {untold},
    e.user.username AS username, e.impersonatedUser.username AS impersonated,
    -- Other names under `system:` are anonymous and unauthenticated callers.
    match(username, '^system:(serviceaccount:[^:]+:[^:]+|node:.+|kube-[a-z-]+|apiserver|cloud-controller-manager|masters)$') AS is_machine,
    username IN ('system:anonymous', 'system:unauthenticated') AS is_anonymous,
    is_machine OR impersonated != '' AS source_principal_known,
    e.responseStatus.code AS code, e.annotations['authorization.k8s.io/decision'] AS verdict,
    verdict = 'forbid' OR code IN (401, 403) AS refused,
    parseDateTime64BestEffortOrNull(if(e.requestReceivedTimestamp != '', e.requestReceivedTimestamp, e.stageTimestamp), 6, 'UTC') AS received,
    parseDateTime64BestEffortOrNull(e.stageTimestamp, 6, 'UTC') AS finished,
    -- The object's name becomes `name` in braces; the namespace stays, for permissions are given by namespace.
    cutQueryString(e.requestURI) AS uri_path,
    if(e.objectRef.namespace != '' AND e.objectRef.resource != 'namespaces', concat('/namespaces/', e.objectRef.namespace, '/'), '/') AS scope,
    concat(scope, e.objectRef.resource, '/', e.objectRef.name) AS named,
    if(e.objectRef.name = '' OR e.objectRef.resource = '', 0, position(uri_path, named)) AS at,
    if(at = 0, '', concat(substring(uri_path, 1, at - 1), scope, e.objectRef.resource, '/{{}name{}}', substring(uri_path, at + length(named)))) AS resource_path
  FROM (
    SELECT
      *,
      JSONExtract(text, 'Tuple(kind String, apiVersion String, auditID String, stage String, requestURI String, verb String,
        user Tuple(username String, groups Array(String)), impersonatedUser Tuple(username String, groups Array(String)), sourceIPs Array(String), userAgent String,
        objectRef Tuple(resource String, namespace String, name String, subresource String), responseStatus Tuple(code UInt16),
        requestReceivedTimestamp String, stageTimestamp String, annotations Map(String, String))') AS e
    FROM ({unwrap})
  )
)
