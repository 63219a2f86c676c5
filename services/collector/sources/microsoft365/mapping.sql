-- Microsoft 365 Unified Audit Log (Office 365 Management Activity API): https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema
SELECT
  *,
  if({get:Operation} = '' OR {get:RecordType} = '', 'not_a_microsoft365_event', '') AS field_reject,
  {get:CreationTime} AS time_text, {get:Id} AS event_id_text, {get:Operation} AS action,
  multiIf({get:RecordType} = '15' OR match(action, '^UserLog(gedIn|inFailed)'), 'sign_in', {get:RecordType} = '8' OR {is_change:action}, 'change', match(action, '^(UserSignedOut|SignOut)'), 'sign_out', 'access') AS category,
  multiIf(match(action, 'Failed$') OR {get:LogonError} != '', 'failure', lower({get:ResultStatus}) IN ('success', 'succeeded', 'true', 'partiallysucceeded'), 'success', {get:ResultStatus} != '', 'failure', 'unknown') AS outcome,
  {get:LogonError} AS reason,
  if({get:UserKey} NOT IN ('', 'Not Available'), {get:UserKey}, {get:UserId}) AS actor_id, {get:UserId} AS actor_name,
  multiIf({get:UserType} IN ('0', '1', '2', '3'), 'user', {get:UserType} = '4', 'system', {get:UserType} IN ('5', '6', '7', '8'), 'service', 'unknown') AS actor_type,
  if({get:ClientIP} != '', {get:ClientIP}, {get:ActorIpAddress}) AS actor_address, {get:ApplicationId} AS actor_client,
  properties.2[indexOf(properties.1, 'UserAgent')] AS actor_agent, devices.2[indexOf(devices.1, 'Id')] AS actor_device,
  arrayConcat([('Object', {get:ObjectId}, '')], arrayMap(t -> (concat('Target ', {of:t:Type}), {of:t:ID}, ''), {list:Target})) AS targets,
  arrayMap(m -> ({of:m:Name}, {of:m:OldValue}, {of:m:NewValue}), {list:ModifiedProperties}) AS changes,
  -- InterSystemsId and IntraSystemId group what belongs together; they do not say which sign-in a change is of.
  [('session', devices.2[indexOf(devices.1, 'SessionId')]), ('session', {get:AppAccessContext.AADSessionId}), ('token', {get:AppAccessContext.UniqueTokenId}),
    ('correlation', {get:InterSystemsId}), ('correlation', {get:IntraSystemId}), ('correlation', {get:AppAccessContext.CorrelationId})] AS correlations
FROM (
  SELECT
    *,
    arrayMap(p -> ({of:p:Name}, {of:p:Value}), {list:ExtendedProperties}) AS properties,
    arrayMap(p -> ({of:p:Name}, {of:p:Value}), {list:DeviceProperties}) AS devices
  FROM ({events})
)
