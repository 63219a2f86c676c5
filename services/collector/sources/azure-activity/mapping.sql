-- Azure Monitor: activity log (control plane: role assignments, policies, keys) and resource logs, as diagnostic settings write them.
SELECT
  *,
  if({get:operationName} = '' OR ({get:resourceId} = '' AND {get:callerIpAddress} = ''), 'not_an_azure_event', '') AS field_reject,
  {get:time} AS time_text, '' AS event_id_text, {get:operationName} AS action,
  multiIf(
    {get:category} IN ('StorageRead', 'Recommendation'), 'access', {get:category} = 'Policy', 'other',
    match(action, '(?i)/(read|getSecret/action|listKeys/action|read/action)$') OR match(action, '(?i)^Get'), 'access',
    match(action, '(?i)(/(write|delete|action)$|^(Put|Delete|Set|Create))'), 'change', 'other') AS category,
  multiIf(lower({get:resultType}) IN ('success', 'succeeded', 'accepted', 'start', 'active'), 'success', lower({get:resultType}) IN ('failure', 'failed'), 'failure', {get:statusCode} IN ('401', '403'), 'denied',
    toUInt16OrZero({get:statusCode}) >= 400, 'failure', {get:statusCode} != '', 'success', 'unknown') AS outcome,
  if({get:resultDescription} != '', {get:resultDescription}, {get:statusText}) AS reason,
  multiIf(claim['http://schemas.microsoft.com/identity/claims/objectidentifier'] != '', claim['http://schemas.microsoft.com/identity/claims/objectidentifier'], claim['oid'] != '', claim['oid'], claim['appid']) AS actor_id,
  multiIf(claim['http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn'] != '', claim['http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn'],
    claim['http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress'] != '', claim['http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress'], claim['name'] != '', claim['name'],
    {get:caller} != '', {get:caller}, actor_id = '', 'unknown', '') AS actor_name,
  multiIf(startsWith(actor_name, 'Microsoft.'), 'system', actor_name NOT IN ('', 'unknown'), 'user', actor_id != '', 'service', 'unknown') AS actor_type,
  if(countSubstrings({get:callerIpAddress}, ':') = 1, splitByChar(':', {get:callerIpAddress})[1], {get:callerIpAddress}) AS actor_address, claim['appid'] AS actor_client,
  multiIf({of:p:userAgentHeader} != '', {of:p:userAgentHeader}, {of:p:clientInfo}) AS actor_agent, '' AS actor_device,
  [('resource', {get:resourceId}, ''), ('object', {of:p:objectKey}, ''), ('entity', {of:p:entity}, '')] AS targets,
  if(category = 'change', arrayMap(c -> (c.1, '', c.2), JSONExtractKeysAndValues({of:p:requestbody}, 'properties', 'String')), []) AS changes,
  [('correlation', {get:correlationId}), ('request', {of:p:clientRequestId}), ('token', {get:identity.tokenHash})] AS correlations
FROM (
  SELECT
    *, if(JSONType(event, 'properties') = 'Object', {raw:properties}, '{{}{}}') AS p,
    CAST(JSONExtractKeysAndValues(event, 'identity', 'claims', 'String'), 'Map(String, String)') AS claim
  FROM ({events})
)
