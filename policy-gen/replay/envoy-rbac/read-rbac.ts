import { fail, field, isRecord, type Reader } from '../fields.ts'
import type { Verdict } from '../layer.ts'
import type { CallerIdentity, ReplayRequest } from '../request.ts'
import { allOf, anyOf, type Check, untold } from './checks.ts'
import { items, message } from './proto.ts'
import { readPermission } from './read-permission.ts'
import { anyIdentity, readPrincipal, type Tls } from './read-principal.ts'

/** envoy.config.rbac.v3.RBAC, compiled. */
export type Engine = (request: ReplayRequest) => Verdict

interface Policy {
  name: string
  matches: Check
  /** The identities that can match, null where they cannot be listed. */
  only: ReadonlySet<string> | null
}

const ACTIONS = ['ALLOW', 'DENY', 'LOG'] as const

/** Reads the rules of a filter. Present and empty they deny everything, since no policy matches. */
export function readRbac(value: unknown, tls: Tls, reader: Reader): Engine {
  const rbac = message(value, reader, ['action', 'policies', 'audit_logging_options'])
  const { action: written = 'ALLOW', policies: listed = {} } = rbac
  const action = ACTIONS.find((candidate, number) => candidate === written || number === written)
  if (!action) fail(field(reader, 'action'), `is unknown; valid: ${ACTIONS.join(', ')}`)
  if (!isRecord(listed)) fail(field(reader, 'policies'), 'must be an object')
  // Envoy goes through a sorted map: the first that matches is the one that logs name.
  const policies = Object.entries(listed)
    .sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
    .map(([name, policy]) => readPolicy(name, policy, tls, field(reader, `policies.${name}`)))
  const policiesFor = byCaller(policies)
  if (action === 'LOG') return () => ({ allowed: 'yes', reason: `${reader.at} only logs` })
  return (request) => decide(action, policiesFor(request.caller), request, reader.at)
}

function readPolicy(name: string, value: unknown, tls: Tls, reader: Reader): Policy {
  const policy = message(value, reader, ['permissions', 'principals', 'condition', 'checked_condition', 'cel_config'])
  const permissions = items(policy['permissions'], field(reader, 'permissions'), readPermission)
  const principals = items(policy['principals'], field(reader, 'principals'), (one, at) => readPrincipal(one, tls, at))
  const conditional = ['condition', 'checked_condition'].some((key) => policy[key] !== undefined)
  const checks = [anyOf(permissions), anyOf(principals.map(({ check }) => check))]
  if (conditional) checks.push(untold('a condition in CEL'))
  return { name, matches: allOf(checks), only: anyIdentity(principals) }
}

// A callee with hundreds of callers has a policy for each; all but a few are excluded by one look-up.
export function byCaller<One extends Pick<Policy, 'only'>>(
  policies: readonly One[],
): (caller: CallerIdentity) => readonly One[] {
  const open = policies.filter(({ only }) => only === null)
  const known = new Map<string, One[]>()
  return (caller) => {
    if (caller.is === 'unknown') return policies
    if (caller.is === 'none') return open
    const found = known.get(caller.principal) ?? policies.filter(({ only }) => only?.has(caller.principal) ?? true)
    known.set(caller.principal, found)
    return found
  }
}

function decide(action: 'ALLOW' | 'DENY', policies: readonly Policy[], request: ReplayRequest, at: string): Verdict {
  const missing = new Set<string>()
  for (const { name, matches } of policies) {
    const own = new Set<string>()
    const matched = matches(request, own)
    if (matched === 'yes') return verdict(action === 'ALLOW', `${JSON.stringify(name)} of ${at}`)
    for (const what of own) missing.add(what)
  }
  if (missing.size > 0) return { allowed: 'unknown', reason: `not known: ${[...missing].sort().join('; ')}` }
  return verdict(action === 'DENY', `no policy of ${at} matches`)
}

function verdict(allowed: boolean, why: string): Verdict {
  return { allowed: allowed ? 'yes' : 'no', reason: allowed || why.startsWith('no ') ? why : `denied by ${why}` }
}
