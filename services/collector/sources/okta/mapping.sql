-- Okta System Log: `LogEvent`s of /api/v1/logs, one a line or in a list. Columns as Okta documents them:
-- https://developer.okta.com/docs/reference/api/system-log/
SELECT
  *,
  if({get:eventType} = '', 'not_an_okta_event', '') AS field_reject,
  {get:published} AS time_text, {get:uuid} AS event_id_text, {get:eventType} AS action,
  multiIf(
    action IN ('user.session.end', 'user.session.clear'), 'sign_out',
    match(action, 'rate_limit|^security[.]threat|reuse'), 'other',
    match(action, '^(user[.](session[.]start|authentication[.]|mfa[.]attempt)|app[.]oauth2[.].*(token|code))'), 'sign_in',
    match(action, '^(device[.]|security[.]device)'), 'posture',
    match(action, '^(app[.].*access|policy[.]evaluate)'), 'access',
    {is_change:action}, 'change', 'other') AS category,
  transform(upper({get:outcome.result}), ['SUCCESS', 'ALLOW', 'FAILURE', 'DENY', 'ABANDONED', 'UNANSWERED'],
    ['success', 'success', 'failure', 'denied', 'failure', 'failure'], 'unknown') AS outcome,
  {get:outcome.reason} AS reason,
  {get:actor.id} AS actor_id,
  transform({get:actor.type}, ['User', 'PublicClientApp', 'SystemPrincipal', 'AppInstance', 'Client', 'Device'],
    ['user', 'service', 'system', 'service', 'service', 'device'], 'unknown') AS actor_type,
  multiIf({get:actor.alternateId} NOT IN ('', 'unknown'), {get:actor.alternateId}, {get:actor.displayName} != '', {get:actor.displayName},
    {get:actor.alternateId} != '', {get:actor.alternateId}, actor_id = '', 'unknown', '') AS actor_name,
  {get:client.ipAddress} AS actor_address, {get:client.id} AS actor_client, {get:client.userAgent.rawUserAgent} AS actor_agent, {get:device.id} AS actor_device,
  arrayMap(t -> ({of:t:type}, {of:t:id}, if({of:t:alternateId} NOT IN ('', 'unknown'), {of:t:alternateId}, {of:t:displayName})), {list:target}) AS targets,
  -- Old and new values stand in a target's details, where an event type tells them at all.
  arrayFlatten(arrayMap(t -> arrayMap(d -> (d.1, '', d.2), JSONExtractKeysAndValues(t, 'detailEntry', 'String')), {list:target})) AS target_details,
  arrayConcat(target_details, if({get:debugContext.debugData.privilegeGranted} = '', [], [('privilegeGranted', '', {get:debugContext.debugData.privilegeGranted})])) AS changes,
  [('transaction', {get:transaction.id}), ('session', {get:authenticationContext.rootSessionId}), ('session', {get:authenticationContext.externalSessionId}),
    ('token', {get:transaction.detail.requestApiTokenId}), ('request', {get:debugContext.debugData.requestId})] AS correlations
FROM ({events})
