import type { AuthorizationPolicy, ConditionMatch } from './read-authorization.ts'

/**
 * A policy as Istio gives it to proxies where trust domains mean one: a principal of one of them, or of `cluster.local`, is one of each.
 * As pilot/pkg/security/trustdomain/bundle.go has it: only principals of exactly five parts, and not those of any trust domain (`*`).
 *
 * @param names the mesh's own trust domain and its aliases; empty where they are not known: a policy is then what it says
 */
export function underAliases(policy: AuthorizationPolicy, names: readonly string[]): AuthorizationPolicy {
  if (names.length === 0) return policy
  const each = <T extends Pick<ConditionMatch, 'values' | 'notValues'>>(match: T): T => ({
    ...match,
    values: expanded(match.values, names),
    notValues: expanded(match.notValues, names),
  })
  return {
    ...policy,
    rules: policy.rules.map((rule) => ({
      ...rule,
      from: rule.from.map((source) => source.map((match) => (match.field === 'principals' ? each(match) : match))),
      when: rule.when.map((condition) => (condition.key === 'source.principal' ? each(condition) : condition)),
    })),
  }
}

function expanded(principals: readonly string[], names: readonly string[]): string[] {
  return [...new Set(principals.flatMap((principal) => ofEach(principal, names)))]
}

function ofEach(principal: string, names: readonly string[]): string[] {
  const [domain = '', ...rest] = principal.split('/')
  if (rest.length !== 4 || domain === '*') return [principal]
  if (domain !== 'cluster.local' && !names.some((name) => isLike(domain, name))) return [principal]
  // A domain that begins with a star stays as it is where it matches.
  return names.map((name) => (isSuffix(domain, name) ? principal : [name, ...rest].join('/')))
}

const isSuffix = (pattern: string, name: string) => pattern.startsWith('*') && name.endsWith(pattern.slice(1))

function isLike(pattern: string, name: string): boolean {
  const isPrefix = pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1))
  return pattern === name || isPrefix || isSuffix(pattern, name)
}
