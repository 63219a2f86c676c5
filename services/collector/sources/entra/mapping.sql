-- Microsoft Entra ID: `directoryAudit` and `signIn` of Microsoft Graph, or the same under `properties` as Azure's diagnostic settings write
-- them to Event Hubs and storage. https://learn.microsoft.com/graph/api/resources/directoryaudit, …/signin
SELECT
  *,
  if(action = '' OR NOT (is_sign_in OR told_by != '' OR {get:category} != '' OR {of:p:initiatedBy} != ''), 'not_an_entra_event', '') AS field_reject,
  multiIf({of:p:activityDateTime} != '', {of:p:activityDateTime}, {of:p:createdDateTime} != '', {of:p:createdDateTime}, {get:time}) AS time_text,
  {of:p:id} AS event_id_text,
  multiIf({of:p:activityDisplayName} != '', {of:p:activityDisplayName}, {get:operationName} != '', {get:operationName}, is_sign_in, 'Sign-in activity', '') AS action,
  if(is_sign_in, 'sign_in', 'change') AS category,
  multiIf({of:p:status.errorCode} != '', {of:p:status.errorCode}, {of:p:resultType} != '', {of:p:resultType}, {get:resultType}) AS code,
  lower(multiIf({of:p:result} != '', {of:p:result}, {get:result} != '', {get:result}, {get:resultType})) AS result,
  multiIf(
    is_sign_in AND ({of:p:conditionalAccessStatus} = 'failure' OR code IN ('53003', '53000', '50105')), 'denied',
    is_sign_in, multiIf(code = '0' OR lower(code) = 'success', 'success', code = '', 'unknown', 'failure'),
    result IN ('success', 'failure'), result,
    result = 'timeout', 'failure', 'unknown') AS outcome,
  multiIf({of:p:status.failureReason} != '', {of:p:status.failureReason}, {of:p:resultReason} != '', {of:p:resultReason}, {of:p:resultDescription} != '', {of:p:resultDescription}, {get:resultDescription}) AS reason,
  multiIf({of:p:initiatedBy.user.id} != '', {of:p:initiatedBy.user.id}, {of:p:initiatedBy.app.servicePrincipalId} != '', {of:p:initiatedBy.app.servicePrincipalId},
    {of:p:initiatedBy.app.appId} != '', {of:p:initiatedBy.app.appId}, {of:p:userId} != '', {of:p:userId}, {of:p:servicePrincipalId}) AS actor_id,
  multiIf({of:p:initiatedBy.user.userPrincipalName} != '', {of:p:initiatedBy.user.userPrincipalName}, {of:p:initiatedBy.user.displayName} != '', {of:p:initiatedBy.user.displayName},
    {of:p:initiatedBy.app.displayName} != '', {of:p:initiatedBy.app.displayName}, {of:p:userPrincipalName} != '', {of:p:userPrincipalName},
    {of:p:servicePrincipalName} != '', {of:p:servicePrincipalName}, {get:identity} != '', {get:identity},
    -- Nobody is named where Entra acts by itself.
    actor_id = '' AND NOT is_sign_in, concat('entra:', told_by), '') AS actor_name,
  multiIf(
    match(actor_name, '^(?i)(sync_|serviceprincipal_|fim_password_service|entra:)'), 'system',
    {of:p:initiatedBy.user.id} != '' OR {of:p:initiatedBy.user.userPrincipalName} != '', 'user',
    {of:p:initiatedBy.app} != '' OR ({of:p:userId} = '' AND {of:p:userPrincipalName} = '' AND {of:p:servicePrincipalId} != ''), 'service',
    {of:p:userId} != '' OR {of:p:userPrincipalName} != '' OR {get:identity} != '', 'user', 'unknown') AS actor_type,
  multiIf({of:p:initiatedBy.user.ipAddress} != '', {of:p:initiatedBy.user.ipAddress}, {of:p:ipAddress} != '', {of:p:ipAddress}, {get:ipAddress} != '', {get:ipAddress}, {get:callerIpAddress}) AS actor_address,
  if(is_sign_in, {of:p:appId}, {of:p:initiatedBy.app.appId}) AS actor_client,
  if({of:p:userAgent} != '', {of:p:userAgent}, arrayFirst(d -> d.1 = 'User-Agent', details).2) AS actor_agent,
  if({of:p:deviceDetail.deviceId} != '', {of:p:deviceDetail.deviceId}, {of:p:initiatedBy.linkableIdentifiers.deviceId}) AS actor_device,
  arrayMap(d -> ({of:d:key}, {of:d:value}), {list_of:p:additionalDetails}) AS details,
  arrayMap(t -> ({of:t:type}, {of:t:id}, if({of:t:userPrincipalName} != '', {of:t:userPrincipalName}, {of:t:displayName})), {list_of:p:targetResources}) AS resources,
  multiIf(
    is_sign_in, [('Application', {of:p:appId}, {of:p:appDisplayName}), ('Resource', {of:p:resourceId}, {of:p:resourceDisplayName})],
    empty(resources), [('Resource', {get:resourceId}, '')],
    resources) AS targets,
  arrayFlatten(arrayMap(t -> arrayMap(m -> ({of:m:displayName}, {of:m:oldValue}, {of:m:newValue}), {list_of:t:modifiedProperties}), {list_of:p:targetResources})) AS changes,
  [('session', if({of:p:sessionId} != '', {of:p:sessionId}, {of:p:initiatedBy.linkableIdentifiers.sessionId})),
    ('token', if({of:p:uniqueTokenIdentifier} != '', {of:p:uniqueTokenIdentifier}, {of:p:initiatedBy.linkableIdentifiers.uniqueTokenIdentifier})),
    ('request', if(is_sign_in, {of:p:id}, '')), ('request', {of:p:originalRequestId}),
    ('correlation', {of:p:correlationId}), ('correlation', {get:correlationId})] AS correlations
FROM (
  SELECT
    *,
    if(JSONType(event, 'properties') = 'Object', {raw:properties}, event) AS p,
    {of:p:loggedByService} AS told_by,
    match({get:category}, '(?i)SignInLogs$') OR {get:operationName} = 'Sign-in activity' OR
      ({of:p:activityDisplayName} = '' AND {of:p:initiatedBy} = '' AND {of:p:createdDateTime} != '' AND {of:p:appId} != '') AS is_sign_in
  FROM ({events})
)
