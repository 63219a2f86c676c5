import type { Permission, PermissionEvidence } from '../../services/model/permission.ts'
import type { CalleeGrants } from './grants.ts'
import { calleeName } from './loss.ts'

/** Half-open, ISO 8601, UTC. */
export interface Window {
  since: string
  until: string
}

/**
 * What a callee's file stands on, in lines for its head: the window, then each caller with its evidence. Names are chosen
 * by whoever sends telemetry: they are quoted, and nothing in them can end a line, in YAML 1.1 either.
 */
export function evidenceLines({ callee, permissions, grants }: CalleeGrants, window: Window): string[] {
  const byCaller = Map.groupBy(permissions, ({ caller }) => caller.principal)
  const callers = [...grants.keys()].sort().map((principal) => {
    const own = byCaller.get(principal) ?? []
    return `${quoted(principal)}: ${evidenceOf(own)}`
  })
  return [`${quoted(calleeName(callee))}, observed from ${window.since} to ${window.until}`, ...callers]
}

function evidenceOf(permissions: readonly Permission[]): string {
  const seen = permissions.filter((permission) => permission.evidence.requests > 0)
  const declared = permissions
    .flatMap((permission) => permission.declared ?? [])
    .map(({ id, kind, owner, expires }) => `declared ${kind} ${quoted(id)} by ${quoted(owner)} until ${expires}`)
  return [...(seen.length > 0 || declared.length === 0 ? [observedOf(seen)] : []), ...declared].join('; ')
}

function observedOf(permissions: readonly Permission[]): string {
  const evidence = permissions.map((permission) => permission.evidence)
  const requests = evidence.reduce((sum, one) => sum + one.requests, 0)
  const days = Math.max(0, ...evidence.map((one) => one.days))
  const first = evidence.map(({ first_seen }) => first_seen).sort()[0] ?? ''
  const last =
    evidence
      .map(({ last_seen }) => last_seen)
      .sort()
      .at(-1) ?? ''
  const strength = [...new Set(evidence.map((one) => one.strength))].sort().join(', ')
  const named = permissions.some(({ caller }) => caller.basis === 'assumed') ? ', named by a rule' : ''
  return `${requests} requests on ${days} days${replicasOf(evidence)}, ${first} to ${last}, identity ${strength}${named}`
}

/** The least that any of the operations has: what only one replica does stands out. */
function replicasOf(evidence: readonly PermissionEvidence[]): string {
  const told = evidence.flatMap(({ replicas }) => replicas ?? [])
  if (told.length === 0) return ''
  const least = told.reduce((a, b) => (b.distinct < a.distinct ? b : a))
  const images = new Set(told.flatMap((one) => one.images)).size
  return ` from ${told.length > 1 ? 'at least ' : ''}${least.distinct} of ${least.of} replicas${images > 0 ? ` of ${images} images` : ''}`
}

/** Text that somebody else chose, so that nothing in it can end a line. */
export function quoted(text: string): string {
  const safe = JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return /^"[\w./:-]+"$/.test(safe) ? safe.slice(1, -1) : safe
}
