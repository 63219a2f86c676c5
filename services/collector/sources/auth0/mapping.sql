-- Auth0 tenant logs: as the Management API gives them, or in `data` as log streams do. https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes
SELECT
  *,
  if({of:d:type} = '' OR ({of:d:log_id} = '' AND {of:d:date} = ''), 'not_an_auth0_event', '') AS field_reject,
  {of:d:date} AS time_text, if({of:d:log_id} != '', {of:d:log_id}, {get:log_id}) AS event_id_text,
  {of:d:type} AS code, lower({of:d:details.request.method}) AS method,
  -- Calls of the Management API have one code; what was done stands in the description.
  if(code IN ('sapi', 'fapi', 'mgmt_api_read') AND {of:d:description} != '', {of:d:description}, code) AS action,
  multiIf(
    code IN ('s', 'ssa', 'seacft', 'seccft', 'sepft', 'sertft', 'f', 'fp', 'fu', 'fcoa', 'feacft', 'feccft', 'fepft', 'fertft', 'ferrt', 'fsa', 'limit_wc', 'limit_mu', 'pwd_leak', 'gd_auth_succeed', 'gd_auth_failed'), 'sign_in',
    code IN ('slo', 'flo'), 'sign_out',
    code = 'mgmt_api_read' OR method = 'get', 'access',
    code IN ('sapi', 'fapi', 'ss', 'fs', 'scp', 'scu', 'sce', 'scph', 'sdu', 'sui', 'gd_enrollment_complete', 'gd_unenroll', 'gd_update_device_account', 'signup_pwd_leak'), 'change', 'other') AS category,
  toUInt16OrZero({of:d:details.response.statusCode}) AS status,
  multiIf(
    status IN (401, 403) OR code IN ('limit_wc', 'limit_mu', 'pwd_leak', 'signup_pwd_leak'), 'denied',
    status >= 400 OR match(code, '^(f[a-z]*|gd_auth_failed)$'), 'failure',
    status > 0 OR match(code, '^(s|ss|scp|scu|sce|sdu|slo|se[a-z]*ft|gd_[a-z_]*|sapi|mgmt_api_read)'), 'success', 'unknown') AS outcome,
  if({of:d:details.error.message} != '', {of:d:details.error.message}, if(outcome IN ('failure', 'denied'), {of:d:description}, '')) AS reason,
  {of:d:client_id} AS actor_client,
  multiIf({of:d:user_id} != '', {of:d:user_id}, {of:d:details.request.auth.user.user_id} != '', {of:d:details.request.auth.user.user_id}, {of:d:user_name} = '' AND {of:d:details.request.auth.user.email} = '', actor_client, '') AS actor_id,
  multiIf({of:d:user_name} != '', {of:d:user_name}, {of:d:details.request.auth.user.email}) AS actor_name,
  multiIf({of:d:user_id} != '' OR {of:d:details.request.auth.user.user_id} != '' OR actor_name != '', 'user', actor_client != '', 'service', 'unknown') AS actor_type,
  {of:d:ip} AS actor_address, if({of:d:user_agent} != '', {of:d:user_agent}, {of:d:details.request.userAgent}) AS actor_agent, '' AS actor_device,
  [('api', {of:d:details.request.path}, {of:d:details.request.method}), ('client', actor_client, {of:d:client_name}), ('connection', {of:d:connection_id}, {of:d:connection})] AS targets,
  arrayMap(c -> (c.1, '', c.2), JSONExtractKeysAndValues(d, 'details', 'request', 'body', 'String')) AS changes,
  [('session', {of:d:details.session_id}), ('token', {of:d:details.request.auth.credentials.jti}), ('request', {of:d:log_id}), ('correlation', {of:d:tracking_id})] AS correlations
FROM (SELECT *, if(JSONType(event, 'data') = 'Object', {raw:data}, event) AS d FROM ({events}))
