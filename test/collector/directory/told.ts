/** What an event of a system tells, read from its JSON by hand and not by Cinch's mappings. */
export interface Told {
  action: string
  /** Id and name of the actor, as far as they are told. */
  actor: string[]
  /** Ids and names of what was acted on. */
  targets: string[]
  /** Old and new values, as far as they are no secrets. */
  changes: string[]
  /** Kind and value of each correlation. */
  correlations: [kind: string, value: string][]
}

export type Json = Record<string, unknown>

/** A value by its path, whatever case its keys have: some of the recorded events went through a pipeline that lowers them. */
export function pick(event: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => {
    if (typeof inner !== 'object' || inner === null) return undefined
    const found = Object.keys(inner).find((name) => name.toLowerCase() === key.toLowerCase())
    return found === undefined ? undefined : (inner as Json)[found]
  }, event)
}

const text = (event: unknown, path: string) => {
  const value = pick(event, path)
  return value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
}
const list = (event: unknown, path: string): unknown[] => {
  const value = pick(event, path)
  return Array.isArray(value) ? value : []
}
const told = (...values: string[]) => values.filter((value) => value !== '')
const correlations = (pairs: [string, string][]) =>
  pairs.filter(([, value]) => !['', '-', 'unknown', 'null'].includes(value))

/** By the file in the shared recordings: which source reads it, and what its events tell; undefined for what is no event of the system. */
export const SYSTEMS: Record<string, { source: string; told: (event: Json) => Told | undefined }> = {
  okta: {
    source: 'okta',
    told: (event) =>
      text(event, 'eventType') === ''
        ? undefined
        : {
            action: text(event, 'eventType'),
            actor: told(text(event, 'actor.id')),
            targets: list(event, 'target').flatMap((target) => told(text(target, 'id'))),
            changes: told(text(event, 'debugContext.debugData.privilegeGranted')),
            correlations: correlations([
              ['transaction', text(event, 'transaction.id')],
              ['session', text(event, 'authenticationContext.externalSessionId')],
              ['token', text(event, 'transaction.detail.requestApiTokenId')],
              ['request', text(event, 'debugContext.debugData.requestId')],
            ]),
          },
  },
  'entra-signin': {
    source: 'entra',
    told: (event) => ({
      action: text(event, 'properties.activityDisplayName') || text(event, 'operationName'),
      actor: told(
        text(event, 'properties.initiatedBy.user.id') ||
          text(event, 'properties.userId') ||
          text(event, 'properties.servicePrincipalId'),
        text(event, 'properties.initiatedBy.user.userPrincipalName') ||
          text(event, 'properties.userPrincipalName') ||
          text(event, 'properties.servicePrincipalName'),
      ),
      targets: list(event, 'properties.targetResources')
        .flatMap((target) => told(text(target, 'id')))
        .concat(told(text(event, 'properties.resourceDisplayName'))),
      changes: list(event, 'properties.targetResources').flatMap((target) =>
        list(target, 'modifiedProperties').flatMap((change) =>
          told(text(change, 'oldValue'), text(change, 'newValue')),
        ),
      ),
      correlations: correlations([
        ['session', text(event, 'properties.sessionId')],
        ['token', text(event, 'properties.uniqueTokenIdentifier')],
        ['correlation', text(event, 'properties.correlationId')],
        ['correlation', text(event, 'correlationId')],
      ]),
    }),
  },
  'google-workspace': {
    source: 'google-workspace',
    told: (event) => ({
      action: text(event, 'name') || text(event, 'type') || text(event, 'id.applicationName'),
      actor: told(text(event, 'actor.profileId'), text(event, 'actor.email')),
      targets: [
        'USER_EMAIL',
        'ROLE_NAME',
        'GROUP_EMAIL',
        'SETTING_NAME',
        'ORG_UNIT_NAME',
        'doc_id',
        'doc_title',
        'target_user',
        'affected_email_address',
      ].flatMap((name) =>
        told(text((event['parameters'] as Json | null) ?? {}, name)).filter(
          () => name in ((event['parameters'] as Json | null) ?? {}),
        ),
      ),
      changes: /password/i.test(text(event, 'parameters.SETTING_NAME'))
        ? []
        : told(text(event, 'parameters.NEW_VALUE'), text(event, 'parameters.OLD_VALUE')),
      correlations: correlations([['transaction', text(event, 'id.uniqueQualifier')]]),
    }),
  },
  auth0: {
    source: 'auth0',
    told: (event) => ({
      action: /^(sapi|fapi|mgmt_api_read)$/.test(text(event, 'data.type'))
        ? text(event, 'data.description')
        : text(event, 'data.type'),
      actor: told(text(event, 'data.user_id') || text(event, 'data.details.request.auth.user.user_id')),
      targets: told(
        text(event, 'data.details.request.path'),
        text(event, 'data.client_id'),
        text(event, 'data.connection_id'),
      ),
      changes: Object.values((pick(event, 'data.details.request.body') as Json | null) ?? {}).flatMap((value) =>
        value === null ? [] : [typeof value === 'object' ? JSON.stringify(value) : String(value)],
      ),
      correlations: correlations([
        ['session', text(event, 'data.details.session_id')],
        ['token', text(event, 'data.details.request.auth.credentials.jti')],
        ['request', text(event, 'data.log_id')],
      ]),
    }),
  },
  onelogin: {
    source: 'onelogin',
    told: (event) => ({
      action: text(event, 'event_type_id'),
      actor: told(text(event, 'actor_user_id'), text(event, 'actor_user_name')),
      targets: told(
        text(event, 'user_id'),
        text(event, 'user_name'),
        text(event, 'app_name'),
        text(event, 'otp_device_name'),
        text(event, 'authentication_factor_description'),
      ),
      changes: [],
      correlations: [],
    }),
  },
  duo: {
    source: 'duo',
    told: (event) => ({
      action: text(event, 'action') || text(event, 'event_type'),
      actor: told(text(event, 'username') || text(event, 'user.name')),
      targets: told(text(event, 'object'), text(event, 'application.key'), text(event, 'application.name')),
      changes: /_(create|update)$/.test(text(event, 'action'))
        ? Object.entries(JSON.parse(text(event, 'description') || '{}') as Json).flatMap(([key, value]) =>
            /password|token/.test(key) || value === null || typeof value === 'object' ? [] : told(String(value)),
          )
        : [],
      correlations: [],
    }),
  },
  microsoft365: {
    source: 'microsoft365',
    told: (event) => ({
      action: text(event, 'Operation'),
      actor: told(text(event, 'UserId'), text(event, 'UserKey')).filter((name) => name !== 'Not Available'),
      targets: told(text(event, 'ObjectId')).concat(
        list(event, 'Target').flatMap((target) => told(text(target, 'ID'))),
      ),
      changes: list(event, 'ModifiedProperties').flatMap((change) =>
        told(text(change, 'OldValue'), text(change, 'NewValue')),
      ),
      correlations: correlations([
        ['correlation', text(event, 'InterSystemsId')],
        ['correlation', text(event, 'IntraSystemId')],
      ]),
    }),
  },
  intune: {
    source: 'intune',
    told: (event) => ({
      action: text(event, 'operationName'),
      actor: told(text(event, 'properties.Actor.ObjectId'), text(event, 'properties.Actor.UPN')),
      targets: list(event, 'properties.TargetObjectIds')
        .map(String)
        .concat(
          told(
            text(event, 'properties.AADDeviceId') || text(event, 'properties.IntuneDeviceId'),
            text(event, 'properties.IntuneUserId'),
          ),
        ),
      changes: list(event, 'properties.Targets').flatMap((target) =>
        list(target, 'ModifiedProperties').flatMap((change) => told(text(change, 'New'))),
      ),
      correlations: correlations([['correlation', text(event, 'correlationId')]]),
    }),
  },
  crowdstrike: {
    source: 'crowdstrike',
    told: (event) => {
      const inner = (pick(event, 'event') as Json | undefined) ?? event
      const action =
        text(inner, 'OperationName') ||
        text(event, 'event_simpleName') ||
        text(inner, 'event_simpleName') ||
        text(inner, 'ExternalApiType') ||
        text(event, 'unknown_payload.ExternalApiType') ||
        text(event, 'fdr_event_type')
      if (action === '' && text(event, 'device_id') === '') return undefined
      const audited = (key: string) =>
        list(inner, 'AuditKeyValues').flatMap((pair) =>
          text(pair, 'Key') === key ? told(text(pair, 'ValueString')) : [],
        )
      return {
        action: action || 'host',
        actor: told(
          text(inner, 'UserId') ||
            text(inner, 'UserName') ||
            text(event, 'unknown_payload.UserName') ||
            text(event, 'aid') ||
            text(inner, 'aid') ||
            text(event, 'device_id'),
        ),
        targets: [
          ...audited('target_name'),
          ...audited('roles'),
          ...told(text(inner, 'DomainName'), text(inner, 'ImageFileName'), text(event, 'plist_file')),
        ],
        changes: [],
        correlations: correlations([
          ...audited('trace_id').map((value): [string, string] => ['request', value]),
          ['correlation', text(inner, 'TreeId')],
        ]),
      }
    },
  },
  'azure-activity': {
    source: 'azure-activity',
    told: (event) => ({
      action: text(event, 'operationName'),
      actor: told(text(event, 'identity.claims.appid')),
      targets: told(text(event, 'resourceId'), text(event, 'properties.objectKey')),
      changes: [],
      correlations: correlations([
        ['correlation', text(event, 'correlationId')],
        ['request', text(event, 'properties.clientRequestId')],
      ]),
    }),
  },
}
