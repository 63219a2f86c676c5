-- Keycloak: `EventRepresentation` and `AdminEventRepresentation` as its REST API gives them, or a line of the listener `jboss-logging`
-- (`type="LOGIN", realmId="…"`, JBossLoggingEventListenerProvider.java), also as the message of a JSON log.
SELECT
  *,
  if(action = '' OR NOT (is_admin OR {of:e:realmId} != '' OR {of:e:realmName} != ''), 'not_a_keycloak_event', '') AS field_reject,
  multiIf({of:e:time} != '', {of:e:time}, {get:timestamp} != '', {get:timestamp}, extract(event, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]+')) AS time_given,
  replaceOne(time_given, ',', '.') AS time_text,
  {of:e:id} AS event_id_text,
  if(is_admin, concat({of:e:operationType}, if({of:e:resourceType} = '', '', concat(' ', {of:e:resourceType}))), {of:e:type}) AS action,
  multiIf(
    is_admin, 'change',
    startsWith(action, 'LOGOUT'), 'sign_out',
    match(action, '^(LOGIN|CLIENT_LOGIN|CODE_TO_TOKEN|REFRESH_TOKEN|TOKEN_EXCHANGE|IDENTITY_PROVIDER_LOGIN|OAUTH2_DEVICE|IMPERSONATE)'), 'sign_in',
    match(action, '^(INTROSPECT|USER_INFO|PERMISSION_TOKEN|VALIDATE)'), 'access',
    {is_change:action}, 'change', 'other') AS category,
  multiIf({of:e:error} = '', 'success', match({of:e:error}, '(?i)(denied|not_allowed|forbidden|disabled|lockout)'), 'denied', 'failure') AS outcome,
  {of:e:error} AS reason,
  replaceRegexpOne(if({of:e:authDetails.userId} != '', {of:e:authDetails.userId}, {of:e:userId}), '^null$', '') AS user_id,
  replaceRegexpOne(if({of:e:authDetails.clientId} != '', {of:e:authDetails.clientId}, {of:e:clientId}), '^null$', '') AS actor_client,
  multiIf({of:e:details.username} != '', {of:e:details.username}, {of:e:username} != '', {of:e:username}, user_id = '' AND actor_client = '', 'unknown', '') AS actor_name,
  multiIf(user_id != '', user_id, actor_name != '', '', actor_client) AS actor_id,
  multiIf(startsWith(action, 'CLIENT_LOGIN') OR startsWith(actor_name, 'service-account-'), 'service', user_id != '' OR actor_name NOT IN ('', 'unknown'), 'user', actor_client != '', 'service', 'unknown') AS actor_type,
  if({of:e:authDetails.ipAddress} != '', {of:e:authDetails.ipAddress}, {of:e:ipAddress}) AS actor_address,
  if({of:e:details.user_agent} != '', {of:e:details.user_agent}, {of:e:user_agent}) AS actor_agent, '' AS actor_device,
  multiIf(
    is_admin, [(if({of:e:resourceType} = '', 'resource', {of:e:resourceType}), {of:e:resourcePath}, '')],
    [('client', {of:e:clientId}, ''), ('user', if(category = 'change', user_id, ''), '')]) AS targets,
  -- What an administrator wrote is the new value; Keycloak does not tell the old one.
  multiIf(
    {of:e:representation} = '', arrayFilter(c -> c.2 != '' OR c.3 != '', [
      ('email', {of:e:details.previous_email}, {of:e:details.updated_email}), ('first_name', {of:e:details.previous_first_name}, {of:e:details.updated_first_name}),
      ('last_name', {of:e:details.previous_last_name}, {of:e:details.updated_last_name})]),
    startsWith({of:e:representation}, '{{}'), arrayMap(v -> (v.1, '', v.2), JSONExtractKeysAndValues({of:e:representation}, 'String')),
    [('representation', '', {of:e:representation})]) AS changes,
  [('session', {of:e:sessionId}), ('session', {of:e:details.code_id}), ('session', {of:e:code_id}), ('session', {of:e:details.authSessionParentId}), ('session', {of:e:authSessionParentId}),
    ('token', {of:e:details.token_id}), ('token', {of:e:token_id}), ('token', {of:e:details.refresh_token_id}), ('token', {of:e:refresh_token_id})] AS correlations
FROM (
  SELECT *, {of:e:operationType} != '' AND ({of:e:resourcePath} != '' OR {of:e:resourceType} != '' OR {of:e:authDetails} != '') AS is_admin
  FROM (
    SELECT
      *,
      if(startsWith(event, '{{}'), {get:message}, event) AS said,
      if(match(said, '(^|[ )])(type|operationType)="'),
        toJSONString(CAST((extractAll(said, '([A-Za-z_]+)="[^"]*"'), extractAll(said, '[A-Za-z_]+="([^"]*)"')), 'Map(String, String)')), event) AS e
    FROM ({events})
  )
)
