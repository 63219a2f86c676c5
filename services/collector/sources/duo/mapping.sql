-- Duo Admin API logs: administrator actions, and authentications (v2). https://duo.com/docs/adminapi#logs
SELECT
  *,
  if({get:action} = '' AND {get:event_type} = '', 'not_a_duo_event', '') AS field_reject,
  multiIf({get:isotimestamp} != '', {get:isotimestamp}, {get:timestamp}) AS time_text, {get:txid} AS event_id_text,
  if({get:action} != '', {get:action}, {get:event_type}) AS action,
  multiIf(action IN ('admin_login', 'admin_2fa_error', 'admin_login_error', 'authentication'), 'sign_in', endsWith(action, '_view'), 'access', action = 'enrollment' OR {get:action} != '', 'change', 'other') AS category,
  multiIf({get:result} IN ('denied', 'fraud'), 'denied', {get:result} = 'success', 'success', {get:result} != '' OR endsWith(action, '_error'), 'failure', {get:action} != '', 'success', 'unknown') AS outcome,
  if({get:reason} != '', {get:reason}, {of:said:error}) AS reason,
  {get:user.key} AS actor_id, multiIf({get:username} != '', {get:username}, {get:user.name}) AS actor_name,
  if(lower(actor_name) IN ('system', 'api', 'duo'), 'system', 'user') AS actor_type,
  multiIf({get:access_device.ip} != '', {get:access_device.ip}, {of:said:ip_address}) AS actor_address, {get:application.key} AS actor_client, {get:access_device.browser} AS actor_agent, {get:access_device.epkey} AS actor_device,
  [('object', {get:object}, ''), ('application', {get:application.key}, {get:application.name})] AS targets,
  if(category = 'change', arrayMap(c -> (c.1, '', c.2), JSONExtractKeysAndValues(said, 'String')), []) AS changes,
  [('transaction', {get:txid})] AS correlations
FROM (SELECT *, {get:description} AS said FROM ({events}))
