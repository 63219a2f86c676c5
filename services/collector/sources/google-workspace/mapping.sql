-- Google Workspace: `Activity` of the Reports API. One activity holds several events, each of which is one here; pipelines flatten them.
-- https://developers.google.com/workspace/admin/reports/reference/rest/v1/activities/list
SELECT
  *,
  if({get:id.applicationName} = '' AND {get:kind} != 'admin#reports#activity', 'not_a_google_activity', '') AS field_reject,
  {get:id.time} AS time_text,
  if({get:id.uniqueQualifier} = '' OR part = 0, {get:id.uniqueQualifier}, concat({get:id.uniqueQualifier}, '#', toString(part))) AS event_id_text,
  multiIf({of:e:name} != '', {of:e:name}, {of:e:type} != '', {of:e:type}, application) AS action,
  multiIf(
    action = 'logout', 'sign_out',
    application IN ('login', 'saml') AND match(action, '^(login|titanium_login|2sv_login|reauth)'), 'sign_in',
    application = 'mobile' OR {of:e:type} = 'device_updates' OR startsWith(action, 'DEVICE_'), 'posture',
    {of:e:type} = 'access' OR action IN ('view', 'download', 'edit', 'upload', 'rename', 'delivery'), 'access',
    match({of:e:type}, '(?i)(_change|_SETTINGS|acl_change|moderator_action|TAKEOUT|CREATE|DELETE)') OR application = 'admin', 'change',
    {is_change:action}, 'change', 'other') AS category,
  multiIf(
    match(action, '(?i)(fail|invalid)') OR {of:e:parameters.event_info.success} = 'false', 'failure',
    match(action, '(?i)(blocked|denied|suspended_login)'), 'denied', 'success') AS outcome,
  if({of:e:parameters.login_failure_type} != '', {of:e:parameters.login_failure_type}, parameters.2[indexOf(parameters.1, 'login_failure_type')]) AS reason,
  {get:actor.profileId} AS actor_id,
  multiIf(
    {get:actor.email} != '', {get:actor.email}, {get:actor.key} != '', {get:actor.key},
    -- Warnings are Google's own; the account that they are about is the target.
    actor_id = '', concat('google:', application), '') AS actor_name,
  multiIf({get:actor.callerType} = 'KEY' OR {get:actor.callerType} = 'APPLICATION', 'service', startsWith(actor_name, 'google:'), 'system', 'user') AS actor_type,
  {get:ipAddress} AS actor_address, '' AS actor_client, '' AS actor_agent, parameters.2[indexOf(parameters.1, 'DEVICE_ID')] AS actor_device,
  arrayMap(p -> (p.1, p.2, ''), arrayFilter(p -> p.1 IN (
    'USER_EMAIL', 'GROUP_EMAIL', 'ROLE_NAME', 'ROLE_ID', 'ORG_UNIT_NAME', 'orgunit_path', 'APPLICATION_NAME', 'application_name', 'APP_ID', 'DOMAIN_NAME', 'SETTING_NAME',
    'USER_DEFINED_SETTING_NAME', 'DEVICE_ID', 'DEVICE_TYPE', 'DISTRIBUTION_ENTITY_NAME', 'MOBILE_APP_PACKAGE_ID', 'OBFUSCATED_CUSTOMER_TAKEOUT_REQUEST_ID', 'doc_id', 'doc_title',
    'target_user', 'target_domain', 'affected_email_address', 'email_forwarding_destination_address', 'shared_drive_id', 'team_drive_id', 'owner', 'group_email', 'member_email',
    'app_name', 'client_id', 'rule_name'), parameters)) AS targets,
  arrayConcat(
    if(has(parameters.1, 'NEW_VALUE') OR has(parameters.1, 'OLD_VALUE'),
      [(if(has(parameters.1, 'SETTING_NAME'), parameters.2[indexOf(parameters.1, 'SETTING_NAME')], 'value'), parameters.2[indexOf(parameters.1, 'OLD_VALUE')], parameters.2[indexOf(parameters.1, 'NEW_VALUE')])], []),
    if(has(parameters.1, 'new_value') OR has(parameters.1, 'old_value'),
      [('value', parameters.2[indexOf(parameters.1, 'old_value')], parameters.2[indexOf(parameters.1, 'new_value')])], []),
    if(has(parameters.1, 'old_visibility'), [('visibility', parameters.2[indexOf(parameters.1, 'old_visibility')], parameters.2[indexOf(parameters.1, 'visibility')])], [])) AS changes,
  [('transaction', {get:id.uniqueQualifier})] AS correlations
FROM (
  SELECT
    *, e, part,
    {get:id.applicationName} AS application,
    if(JSONType(e, 'parameters') = 'Array',
      arrayMap(p -> ({of:p:name}, multiIf({of:p:value} != '', {of:p:value}, {of:p:multiValue} != '', {of:p:multiValue}, {of:p:boolValue} != '', {of:p:boolValue}, {of:p:intValue} != '', {of:p:intValue}, {of:p:messageValue})), {list_of:e:parameters}),
      JSONExtractKeysAndValues(e, 'parameters', 'String')) AS parameters
  FROM (
    SELECT *, if(JSONType(event, 'events') = 'Array' AND notEmpty({list:events}), {list:events}, [event]) AS own
    FROM ({events})
  )
  ARRAY JOIN own AS e, arrayMap(i -> if(length(own) = 1, 0, i), arrayEnumerate(own)) AS part
)
