-- Microsoft Intune's diagnostics: what administrators did (`AuditLogs`), and the compliance of devices (`OperationalLogs`, `DeviceComplianceOrg`).
SELECT
  *,
  if({get:category} NOT IN ('AuditLogs', 'OperationalLogs', 'DeviceComplianceOrg', 'Devices') OR action = '', 'not_an_intune_event', '') AS field_reject,
  {get:time} AS time_text, if({of:p:AuditEventId} != '', {of:p:AuditEventId}, {of:p:MessageId}) AS event_id_text,
  {get:operationName} AS action, if({get:category} = 'AuditLogs', 'change', 'posture') AS category,
  multiIf(lower({get:resultType}) = 'success' OR (category = 'change' AND {of:p:ActivityResultStatus} = '1'), 'success', lower({get:resultType}) IN ('failure', 'fail', 'clienterror'), 'failure', 'unknown') AS outcome,
  multiIf({of:p:AlertType} != '', {of:p:AlertType}, {of:p:FailureReason} != '', {of:p:FailureReason}, if({get:resultDescription} = 'None', '', {get:resultDescription})) AS reason,
  {of:p:Actor.ObjectId} AS actor_id,
  multiIf({of:p:Actor.UPN} != '', {of:p:Actor.UPN}, {of:p:Actor.ApplicationName} != '', {of:p:Actor.ApplicationName}, {get:identity} != '', {get:identity}, 'intune') AS actor_name,
  multiIf({of:p:Actor.UPN} != '', 'user', {of:p:Actor.Application} != '', 'service', {get:identity} != '', 'user', 'system') AS actor_type,
  '' AS actor_address, {of:p:Actor.Application} AS actor_client, '' AS actor_agent,
  multiIf({of:p:AADDeviceId} != '', {of:p:AADDeviceId}, {of:p:DeviceId} != '', {of:p:DeviceId}, {of:p:IntuneDeviceId}) AS device, if(category = 'posture', device, '') AS actor_device,
  arrayConcat(
    arrayMap((id, name) -> ('object', id, if(name = '<null>', '', name)), JSONExtract(p, 'TargetObjectIds', 'Array(String)'),
      arrayResize(JSONExtract(p, 'TargetDisplayNames', 'Array(String)'), length(JSONExtract(p, 'TargetObjectIds', 'Array(String)')))),
    [('device', device, if({of:p:DeviceName} != '', {of:p:DeviceName}, {of:p:DeviceHostName})), ('user', {of:p:IntuneUserId}, if({of:p:UPN} != '', {of:p:UPN}, {of:p:UserName}))]) AS targets,
  arrayConcat(
    arrayFlatten(arrayMap(t -> arrayMap(m -> ({of:m:Name}, {of:m:Old}, {of:m:New}), {list_of:t:ModifiedProperties}), {list_of:p:Targets})),
    arrayFilter(c -> c.3 != '', [('compliance', '', multiIf({of:p:ComplianceState} != '', {of:p:ComplianceState}, {of:p:AlertType})), ('owner', '', {of:p:OwnerType}), ('os', '', if({of:p:OSVersion} != '', {of:p:OSVersion}, {of:p:DeviceOperatingSystem}))])) AS changes,
  [('correlation', {get:correlationId})] AS correlations
FROM (SELECT *, if(JSONType(event, 'properties') = 'Object', {raw:properties}, event) AS p FROM ({events}))
