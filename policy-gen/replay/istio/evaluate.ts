import type { Verdict } from '../layer.ts'
import type { ReplayRequest } from '../request.ts'
import { all, every, some, type Tri } from '../tri.ts'
import type { Check, CompiledPolicy, CompiledRule } from './compile.ts'
import type { MutualTls } from './peers.ts'
import { trusted } from './users.ts'

/** A policy that selects the callee, or may. */
export interface Applicable {
  policy: CompiledPolicy
  applies: Tri
}

/** Everything that holds at one callee. */
export interface CalleePolicies {
  deny: Applicable[]
  custom: Applicable[]
  allow: Applicable[]
  mutualTls: MutualTls
  /** Issuers whose tokens are verified; those of all that apply are trusted together. */
  tokens: { issuers: string[]; applies: Tri }[]
}

/**
 * Istio's order: mutual TLS, then CUSTOM and DENY, then ALLOW; with no ALLOW policy at a workload everything is allowed.
 */
export function evaluate(request: ReplayRequest, policies: CalleePolicies): Verdict {
  const missing = new Set<string>()
  const entry = policies.mutualTls(request.port)
  const tls = entry.mode === 'STRICT' ? request.mutualTls : entry.mode === null ? 'unknown' : 'yes'
  if (tls === 'no') return { allowed: 'no', reason: `plaintext, and ${entry.by} asks for mutual TLS` }
  if (tls === 'unknown') missing.add('whether the hop was mutual TLS, and which mode holds')
  const token = request.tcp ? 'yes' : tokenPasses(request, policies.tokens)
  if (token === 'no')
    return { allowed: 'no', reason: 'its tokens are of an issuer that no RequestAuthentication names' }
  if (token === 'unknown') missing.add('whether the tokens are of an issuer that is trusted')
  const seen = entry.mode === 'DISABLE' ? { ...request, caller: { is: 'none' } as const } : request

  const denied = firstMatch(policies.deny, seen, missing)
  if (denied.result === 'yes') return { allowed: 'no', reason: `denied by ${denied.by}` }
  const custom = firstMatch(policies.custom, seen, missing)
  if (custom.result !== 'no') missing.add('the answer of the external authorizer')
  const restricted = some(policies.allow, ({ applies }) => applies)
  const allowed = restricted === 'no' ? ALLOWED_BY_DEFAULT : firstMatch(policies.allow, seen, missing)
  if (restricted === 'unknown') missing.add("the callee's labels")
  if (allowed.result === 'no' && restricted === 'yes') {
    return { allowed: 'no', reason: `no rule of ${names(policies.allow)} matches` }
  }
  const sure =
    tls === 'yes' && token === 'yes' && denied.result === 'no' && custom.result === 'no' && allowed.result === 'yes'
  if (sure) return { allowed: 'yes', reason: allowed.by }
  return { allowed: 'unknown', reason: `not known: ${[...missing].sort().join('; ')}` }
}

// Where nobody told of tokens, they are taken to be good: most meshes log none, and served requests had passed.
function tokenPasses({ users }: ReplayRequest, tokens: CalleePolicies['tokens']): Tri {
  if (!users || tokens.length === 0) return 'yes'
  const issuersOf = (list: CalleePolicies['tokens']) => new Set(list.flatMap(({ issuers }) => issuers))
  const sure = tokens.filter(({ applies }) => applies === 'yes')
  const atMost = trusted(users, issuersOf(tokens))
  const atLeast = sure.length > 0 ? trusted(users, issuersOf(sure)) : 'yes'
  return atMost === atLeast ? atMost : 'unknown'
}

/** Ids of the rules that hold for a request, or may. */
export function matching(request: ReplayRequest, policies: Applicable[]): string[] {
  return policies.flatMap(({ policy, applies }) =>
    policy
      .rulesFor(request.caller)
      .filter((rule) => all(applies, matches(rule, policy, request, new Set())) !== 'no')
      .map(({ id }) => id),
  )
}

const ALLOWED_BY_DEFAULT = { result: 'yes', by: 'no ALLOW policy selects the callee' } as const

function firstMatch(policies: Applicable[], request: ReplayRequest, missing: Set<string>): { result: Tri; by: string } {
  let result: Tri = 'no'
  const local = new Set<string>()
  for (const { policy, applies } of policies) {
    for (const rule of policy.rulesFor(request.caller)) {
      const matched = all(applies, matches(rule, policy, request, local))
      if (matched === 'yes') return { result: 'yes', by: rule.id }
      if (matched === 'unknown') {
        result = 'unknown'
        if (applies === 'unknown') local.add("the callee's labels")
      }
    }
  }
  for (const about of local) missing.add(about)
  return { result, by: '' }
}

function matches(rule: CompiledRule, policy: CompiledPolicy, request: ReplayRequest, missing: Set<string>): Tri {
  const dropHttp = request.tcp && rule.http
  if (dropHttp && policy.action === 'ALLOW') return 'no'
  const unknown = new Set<string>()
  const test = (check: Check): Tri => {
    if (dropHttp && check.http) return 'yes'
    const value = check.test(request)
    if (value === 'unknown') unknown.add(check.about)
    return value
  }
  const anyOf = (alternatives: Check[][]): Tri =>
    alternatives.length === 0 ? 'yes' : some(alternatives, (checks) => every(checks, test))
  const parts = [() => anyOf(rule.from), () => anyOf(rule.to), () => every(rule.when, test)]
  const result = every(parts, (part) => part())
  if (result === 'unknown') for (const about of unknown) missing.add(about)
  return result
}

function names(policies: Applicable[]): string {
  const ids = policies.filter(({ applies }) => applies !== 'no').map(({ policy }) => policy.id)
  return ids.length > 3 ? `${ids.slice(0, 3).join(', ')} and ${ids.length - 3} more` : ids.join(', ')
}
