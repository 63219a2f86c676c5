-- Jamf Pro webhooks: check-ins, inventory and enrolment of devices, memberships of smart groups, and what was done by its API.
-- https://developer.jamf.com/developer-guide/docs/webhooks
SELECT
  *,
  if({get:webhook.webhookEvent} = '', 'not_a_jamf_webhook', '') AS field_reject,
  {get:webhook.eventTimestamp} AS time_text, '' AS event_id_text, {get:webhook.webhookEvent} AS action,
  if(action IN ('RestAPIOperation', 'SmartGroupComputerMembershipChange', 'SmartGroupMobileDeviceMembershipChange', 'SmartGroupUserMembershipChange'), 'change', 'posture') AS category,
  multiIf({of:e:operationSuccessful} = 'false' OR {of:e:successful} = 'false', 'failure', {of:e:operationSuccessful} = 'true', 'success', category = 'change', 'success', 'unknown') AS outcome,
  '' AS reason, '' AS actor_id,
  multiIf({of:e:authorizedUsername} != '', {of:e:authorizedUsername}, device != '', device_name, 'jamf') AS actor_name,
  multiIf({of:e:authorizedUsername} != '', 'user', device != '', 'device', 'system') AS actor_type,
  multiIf({of:d:ipAddress} != '', {of:d:ipAddress}, {of:d:reportedIpAddress}) AS actor_address, '' AS actor_client, '' AS actor_agent, device AS actor_device,
  arrayConcat(
    [('device', device, device_name), ('user', {of:d:username}, {of:d:emailAddress}), ({of:e:objectTypeName}, {of:e:objectID}, {of:e:objectName}), ('group', {of:e:jssid}, if(category = 'change', {of:e:name}, ''))],
    arrayMap(i -> ('added', JSONExtract(i, 'String'), ''), {list_of:e:groupAddedDevicesIds}), arrayMap(i -> ('removed', JSONExtract(i, 'String'), ''), {list_of:e:groupRemovedDevicesIds})) AS targets,
  arrayFilter(c -> c.3 != '', [('os_version', '', {of:d:osVersion}), ('os_build', '', {of:d:osBuild}), ('serial_number', '', {of:d:serialNumber}), ('management_id', '', {of:d:managementId}),
    ('operation', '', {of:e:restAPIOperationType}), ('trigger', '', {of:e:trigger})]) AS changes,
  []::Array(Tuple(String, String)) AS correlations
FROM (
  SELECT *, if({of:d:udid} != '', {of:d:udid}, {of:d:serialNumber}) AS device, if({of:d:deviceName} != '', {of:d:deviceName}, device) AS device_name
  FROM (
    SELECT *, {raw:event} AS e, multiIf(JSONType(e, 'computer') = 'Object', JSONExtractRaw(e, 'computer'), JSONType(e, 'targetDevice') = 'Object', JSONExtractRaw(e, 'targetDevice'), e) AS d
    FROM ({events})
  )
)
