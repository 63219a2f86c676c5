-- SCIM security event tokens (RFC 9967): the payload of a SET, after its signature was verified by whoever received it. One SET may carry several events.
SELECT
  *,
  if(NOT startsWith(action, 'urn:ietf:params:scim:event:'), 'not_a_scim_event', '') AS field_reject,
  if({get:toe} != '', {get:toe}, {get:iat}) AS time_text, if({get:jti} = '', '', concat({get:jti}, '#', action)) AS event_id_text,
  multiIf(match(action, ':prov:(create|patch|put|delete|activate|deactivate)|:feed:'), 'change', 'other') AS category,
  if(match(action, ':misc:asyncresp') AND {of:e:response.status} NOT IN ('', '200', '201', '204'), 'failure', 'success') AS outcome, '' AS reason,
  '' AS actor_id, {get:iss} AS actor_name, 'service' AS actor_type, '' AS actor_address, '' AS actor_client, '' AS actor_agent, '' AS actor_device,
  [('scim', {get:sub_id.uri}, {get:sub_id.externalId})] AS targets,
  arrayConcat(
    arrayMap(c -> (c.1, '', c.2), JSONExtractKeysAndValues(e, 'data', 'String')),
    arrayMap(a -> (JSONExtract(a, 'String'), '', ''), {list_of:e:attributes})) AS changes,
  [('transaction', {get:txn})] AS correlations
FROM (
  SELECT *, told.1 AS action, told.2 AS e
  FROM (SELECT *, JSONExtractKeysAndValuesRaw(event, 'events') AS all FROM ({events}))
  ARRAY JOIN if(empty(all), [('', '')], all) AS told
)
