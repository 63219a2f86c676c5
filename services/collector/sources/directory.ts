import type { Source } from './index.ts'

const directory = (
  id: string,
  aliases: string[],
  title: string,
  { tells, cannotTell }: Pick<Source, 'tells' | 'cannotTell'>,
): Source => ({ id, aliases, title, kind: 'lines', yields: 'directory', tells, cannotTell })

/** Directories, identity providers and posture systems: their events are facts beside requests (`common/directory.sql`). */
export const DIRECTORY_SOURCES: Source[] = [
  directory('okta', ['okta-system-log'], 'Okta System Log (JSON)', {
    tells: 'sign-ins, access to applications and changes: who, from where, on what, in which transaction and session',
    cannotTell: 'what an attribute was before it changed, unless the event’s details say so',
  }),
  directory(
    'entra',
    ['entra-audit', 'entra-signin'],
    'Microsoft Entra ID: audit and sign-in logs (Graph or diagnostics)',
    {
      tells:
        'sign-ins with device, risk and conditional access, and changes with old and new values; sessions and tokens where Entra gives them',
      cannotTell: 'which sign-in an audit event belongs to, where it carries neither session nor token',
    },
  ),
  directory('google-workspace', ['gsuite'], 'Google Workspace activities (Reports API)', {
    tells: 'sign-ins, administration, sharing and devices: who, from where, which parameters',
    cannotTell: 'sessions and transactions: an activity carries only its own id',
  }),
  directory('keycloak', [], 'Keycloak events and admin events (JSON, or the log listener’s lines)', {
    tells: 'sign-ins with session and client, and administration with what was written',
    cannotTell: 'the session of an admin event, and what an attribute was before',
  }),
  directory('auth0', [], 'Auth0 tenant logs (JSON)', {
    tells: 'sign-ins, and what was done by the Management API: by whom, with which token, on which path',
    cannotTell: 'what an attribute was before it changed',
  }),
  directory('onelogin', [], 'OneLogin events (JSON)', {
    tells: 'sign-ins and changes of users, roles and factors, by numbers',
    cannotTell: 'sessions, old and new values',
  }),
  directory('duo', [], 'Duo administrator and authentication logs (JSON)', {
    tells: 'authentications with device and outcome, and what administrators did',
    cannotTell: 'sessions; addresses of administrators’ changes',
  }),
  directory('microsoft365', ['office365'], 'Microsoft 365 Unified Audit Log (JSON)', {
    tells: 'sign-ins and changes of Entra, Exchange, SharePoint with old and new values',
    cannotTell: 'which sign-in a change belongs to, where no session is told',
  }),
  directory('azure-activity', ['azure-monitor'], 'Azure activity and resource logs (JSON)', {
    tells: 'changes and accesses of the control plane and of resources, by whom where claims are logged',
    cannotTell: 'old values; who called, where a resource log has no identity',
  }),
  directory('aws-cloudtrail', ['cloudtrail'], 'AWS CloudTrail records (JSON)', {
    tells: 'sign-ins, assumed roles and changes: who, with which key, from where, with which parameters',
    cannotTell: 'old values; data events, unless the trail has them',
  }),
  directory('scim', [], 'SCIM security event tokens (RFC 9967), payloads', {
    tells: 'which user or group was created, changed, activated or removed, in which transaction',
    cannotTell: 'who asked for it: only the issuer is named',
  }),
  directory('intune', [], 'Microsoft Intune diagnostics (JSON)', {
    tells: 'compliance and ownership of devices, and what administrators changed',
    cannotTell: 'addresses and sessions',
  }),
  directory('jamf', [], 'Jamf Pro webhooks (JSON)', {
    tells: 'which devices check in, are enrolled or removed, with system and user; what was done by its API',
    cannotTell: 'whether a device complies or is encrypted; sessions',
  }),
  directory('crowdstrike', ['falcon'], 'CrowdStrike Falcon: audit, sensor events and hosts (JSON)', {
    tells: 'the state of devices, and what administrators of the console did',
    cannotTell: 'sessions of administrators',
  }),
]
