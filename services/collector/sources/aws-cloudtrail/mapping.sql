-- AWS CloudTrail records, single, or as the files in S3 have them (`Records`). https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
SELECT
  *,
  if({get:eventName} = '' OR {get:eventSource} = '', 'not_a_cloudtrail_record', '') AS field_reject,
  {get:eventTime} AS time_text, {get:eventID} AS event_id_text, concat({get:eventSource}, ' ', {get:eventName}) AS action,
  multiIf(
    {get:eventName} IN ('ConsoleLogin', 'GetSessionToken', 'GetFederationToken', 'UserAuthentication', 'Authenticate') OR startsWith({get:eventName}, 'AssumeRole'), 'sign_in',
    {get:eventName} IN ('Logout'), 'sign_out',
    {get:readOnly} = 'true' OR match({get:eventName}, '^(Get|List|Describe|Head|Lookup)'), 'access', 'change') AS category,
  multiIf(match({get:errorCode}, '(?i)(AccessDenied|Unauthorized)'), 'denied', {get:errorCode} != '' OR {get:responseElements.ConsoleLogin} = 'Failure', 'failure', 'success') AS outcome,
  if({get:errorMessage} != '', {get:errorMessage}, {get:errorCode}) AS reason,
  multiIf({get:userIdentity.principalId} != '', {get:userIdentity.principalId}, {get:userIdentity.arn} != '', {get:userIdentity.arn}, {get:userIdentity.accountId}) AS actor_id,
  multiIf({get:userIdentity.arn} != '', {get:userIdentity.arn}, {get:userIdentity.userName} != '', {get:userIdentity.userName}, {get:userIdentity.invokedBy} != '', {get:userIdentity.invokedBy}, actor_id = '', 'unknown', '') AS actor_name,
  multiIf({get:userIdentity.type} IN ('IAMUser', 'Root', 'IdentityCenterUser', 'SAMLUser', 'WebIdentityUser', 'FederatedUser'), 'user', {get:userIdentity.type} = 'AWSService', 'system', {get:userIdentity.type} != '', 'service', 'unknown') AS actor_type,
  {get:sourceIPAddress} AS actor_address, {get:userIdentity.accessKeyId} AS actor_client, {get:userAgent} AS actor_agent, '' AS actor_device,
  arrayConcat(
    arrayMap(r -> (if({of:r:type} = '', 'resource', {of:r:type}), {of:r:ARN}, ''), {list:resources}),
    arrayMap(c -> (c.1, c.2, ''), arrayFilter(c -> match(c.1, '(?i)(name|arn|id)$'), JSONExtractKeysAndValues(event, 'requestParameters', 'String')))) AS targets,
  if(category = 'change', arrayMap(c -> (c.1, '', c.2), JSONExtractKeysAndValues(event, 'requestParameters', 'String')), []) AS changes,
  -- A temporary key is a session, which the answer that gave it out names; a key for good is a token.
  [(if(startsWith({get:userIdentity.accessKeyId}, 'AKIA'), 'token', 'session'), {get:userIdentity.accessKeyId}), ('session', {get:responseElements.credentials.accessKeyId}), ('request', {get:requestID}), ('transaction', {get:sharedEventID})] AS correlations
FROM ({events})
