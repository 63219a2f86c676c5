-- CrowdStrike Falcon: the console's audit (`AuthActivityAuditEvent`, `UserActivityAuditEvent`), response sessions and detections of the event stream, the sensors'
-- events (FDR), and hosts as the Hosts API gives them: the posture of a device.
SELECT
  *,
  if(action = '', 'not_a_crowdstrike_event', '') AS field_reject,
  multiIf({of:e:UTCTimestamp} != '', {of:e:UTCTimestamp}, {get:metadata.eventCreationTime} != '', {get:metadata.eventCreationTime}, {get:timestamp} != '', {get:timestamp}, {of:e:timestamp} != '', {of:e:timestamp}, {get:modified_timestamp}) AS time_text,
  if({get:id} != '', {get:id}, {of:e:id}) AS event_id_text,
  multiIf({of:e:OperationName} != '', {of:e:OperationName}, {get:event_simpleName} != '', {get:event_simpleName}, {of:e:event_simpleName} != '', {of:e:event_simpleName},
    {of:e:ExternalApiType} != '', {of:e:ExternalApiType}, {get:unknown_payload.ExternalApiType} != '', {get:unknown_payload.ExternalApiType}, {get:metadata.eventType} != '', {get:metadata.eventType},
    {get:fdr_event_type} != '', {get:fdr_event_type}, {get:device_id} != '', 'host', '') AS action,
  multiIf(
    match(action, '(?i)(authenticate|login|twoFactor)'), 'sign_in',
    audit AND {is_change:action}, 'change',
    {get:device_id} != '' AND {get:event_simpleName} = '', 'posture',
    match(action, '(?i)SessionStart'), 'access', 'other') AS category,
  multiIf({of:e:Success} IN ('true', '1'), 'success', {of:e:Success} IN ('false', '0'), 'failure', 'unknown') AS outcome, '' AS reason,
  multiIf({of:e:UserId} != '', {of:e:UserId}, {of:e:UserName} != '', {of:e:UserName}, {get:unknown_payload.UserName} != '', {get:unknown_payload.UserName}, {of:e:aid} != '', {of:e:aid}, {get:aid} != '', {get:aid}, {get:device_id} != '', {get:device_id},
    {of:e:AgentIdString}) AS actor_id,
  if({get:hostname} != '' AND audit = 0, {get:hostname}, if(actor_id = '', 'crowdstrike', '')) AS actor_name,
  multiIf({of:e:UserId} != '' OR {of:e:UserName} != '' OR {get:unknown_payload.UserName} != '', 'user', actor_id != '', 'device', 'system') AS actor_type,
  multiIf({of:e:UserIp} != '', {of:e:UserIp}, {get:aip} != '', {get:aip}, {of:e:aip} != '', {of:e:aip}, {get:external_ip}) AS actor_address,
  {of:e:ServiceName} AS actor_client, '' AS actor_agent, multiIf({get:aid} != '', {get:aid}, {of:e:aid} != '', {of:e:aid}, {get:device_id}) AS actor_device,
  arrayConcat(
    arrayMap(v -> v, arrayFilter(v -> startsWith(v.1, 'target') OR v.1 IN ('roles', 'role', 'scope'), arrayMap(v -> ({of:v:Key}, {of:v:ValueString}, ''), {list_of:e:AuditKeyValues}))),
    [('domain', {of:e:DomainName}, ''), ('image', {of:e:ImageFileName}, ''), ('remote', {of:e:RemoteAddressIP4}, ''), ('host', if({of:e:HostnameField} != '', {of:e:HostnameField}, {get:unknown_payload.HostnameField}), ''), ('device', {get:device_id}, {get:hostname}), ('file', {get:plist_file}, '')]) AS targets,
  arrayConcat(
    arrayFilter(v -> NOT startsWith(v.1, 'target') AND NOT startsWith(v.1, 'actor') AND v.1 != 'trace_id' AND audit, arrayMap(v -> ({of:v:Key}, '', {of:v:ValueString}), {list_of:e:AuditKeyValues})),
    arrayFilter(c -> c.3 != '', [('status', '', {get:status}), ('reduced_functionality_mode', '', {get:reduced_functionality_mode}), ('filesystem_containment_status', '', {get:filesystem_containment_status}), ('os_version', '', {get:os_version}), ('agent_version', '', {get:agent_version})])) AS changes,
  [('request', arrayFirst(v -> v.1 = 'trace_id', arrayMap(v -> ({of:v:Key}, {of:v:ValueString}), {list_of:e:AuditKeyValues})).2),
    ('session', if(match(action, '(?i)SessionStart|SessionEnd'), multiIf({of:e:SessionId} != '', {of:e:SessionId}, {get:unknown_payload.SessionId}), '')), ('correlation', {of:e:TreeId})] AS correlations
FROM (
  SELECT *, if(JSONType(event, 'event') = 'Object', {raw:event}, event) AS e, {of:e:OperationName} != '' AS audit
  FROM ({events})
)
