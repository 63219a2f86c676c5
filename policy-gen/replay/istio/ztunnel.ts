import type { IstioDocuments } from './documents.ts'
import type { AuthorizationPolicy, Match, PolicyRule } from './read-authorization.ts'

/** What ztunnel reads of a source and of an operation; of the rest it knows nothing. */
const FIELDS = new Set(['principals', 'namespaces', 'serviceAccounts', 'ipBlocks', 'ports'])
const KEYS = new Set(['source.ip', 'source.namespace', 'source.principal', 'destination.ip', 'destination.port'])

/**
 * Policies as istiod hands them to ztunnel (pilot/pkg/serviceregistry/ambient/authorization.go). ALLOW: a rule with
 * anything of HTTP is left out, the policy stays. DENY: the rule stays without that part, and what is left of nothing
 * matches nothing. CUSTOM, AUDIT and what is bound to something else than workloads do not get there, nor do tokens.
 * Mutual TLS cannot be switched off.
 */
export function atZtunnel({ authorization, peers, ignored }: IstioDocuments): IstioDocuments {
  return {
    authorization: authorization
      .filter(({ action, targets }) => targets.length === 0 && (action === 'ALLOW' || action === 'DENY'))
      .map(withoutHttp),
    peers: peers.map((peer) => ({
      ...peer,
      mode: peer.mode === 'DISABLE' ? 'PERMISSIVE' : peer.mode,
      ports: new Map([...peer.ports].map(([port, mode]) => [port, mode === 'DISABLE' ? 'PERMISSIVE' : mode])),
    })),
    tokens: [],
    ignored,
  }
}

/** Whether a rule asks something that ztunnel does not know. */
export function asksHttp({ from, to, when }: PolicyRule): boolean {
  return [...from, ...to].flat().some(({ field }) => !FIELDS.has(field)) || when.some(({ key }) => !KEYS.has(key))
}

function withoutHttp(policy: AuthorizationPolicy): AuthorizationPolicy {
  const { action, rules } = policy
  if (action === 'ALLOW') return { ...policy, rules: rules.filter((rule) => !asksHttp(rule)) }
  return { ...policy, rules: rules.flatMap(denied) }
}

function denied(rule: PolicyRule): PolicyRule[] {
  const { from, to, when } = rule
  const kept = { from: known(from), to: known(to), when: when.filter(({ key }) => KEYS.has(key)) }
  const nothing =
    (from.length > 0 && kept.from.length === 0) ||
    (to.length > 0 && kept.to.length === 0) ||
    kept.when.length < when.length
  return nothing ? [] : [kept]
}

function known<Field extends string>(entries: Match<Field>[][]): Match<Field>[][] {
  return entries.map((entry) => entry.filter(({ field }) => FIELDS.has(field))).filter((entry) => entry.length > 0)
}
