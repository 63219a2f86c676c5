-- OneLogin events (`/api/1/events`, event streams). What was done is a number: https://developers.onelogin.com/api-docs/1/events/event-types
SELECT
  *,
  if({get:event_type_id} = '', 'not_a_onelogin_event', '') AS field_reject,
  if({get:created_at} != '', {get:created_at}, {get:event_timestamp}) AS time_text,
  if({get:id} != '', {get:id}, {get:uuid}) AS event_id_text, {get:event_type_id} AS action,
  toUInt16OrZero(action) AS code,
  multiIf(code IN (5, 6, 9), 'sign_in', code = 7, 'sign_out', code IN (3, 8, 90, 240), 'access', code = 0, 'other', 'change') AS category,
  multiIf(code = 90, 'denied', code IN (6, 9) OR {get:error_description} != '', 'failure', 'success') AS outcome, {get:error_description} AS reason,
  if({get:actor_user_id} != '', {get:actor_user_id}, {get:user_id}) AS actor_id, if({get:actor_user_name} != '', {get:actor_user_name}, {get:user_name}) AS actor_name,
  multiIf({get:actor_system} NOT IN ('', 'null') AND {get:actor_user_id} = '', 'system', 'user') AS actor_type,
  {get:ipaddr} AS actor_address, {get:client_id} AS actor_client, {get:user_agent} AS actor_agent, '' AS actor_device,
  [('user', {get:user_id}, {get:user_name}), ('app', {get:app_id}, {get:app_name}), ('role', {get:role_id}, {get:role_name}), ('group', {get:group_id}, {get:group_name}),
    ('otp_device', {get:otp_device_id}, {get:otp_device_name}), ('authentication_factor', {get:authentication_factor_id}, {get:authentication_factor_description}),
    ('policy', {get:policy_id}, {get:policy_name})] AS targets,
  []::Array(Tuple(String, String, String)) AS changes,
  []::Array(Tuple(String, String)) AS correlations
FROM ({events})
