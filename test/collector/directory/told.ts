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
}
