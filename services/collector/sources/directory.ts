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
]
