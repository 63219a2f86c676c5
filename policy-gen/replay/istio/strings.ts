import { fromBoolean, some, type Tri } from '../tri.ts'

export type StringMatcher = (value: string) => Tri

/** Istio's string match: `*` is presence, a leading star (looked at first) a suffix, a trailing one a prefix, else exact. */
export function stringMatcher(pattern: string): StringMatcher {
  if (pattern === '*') return (value) => fromBoolean(value !== '')
  if (pattern.startsWith('*')) return (value) => fromBoolean(value.endsWith(pattern.slice(1)))
  if (pattern.endsWith('*')) return (value) => fromBoolean(value.startsWith(pattern.slice(0, -1)))
  return (value) => fromBoolean(value === pattern)
}

/**
 * A principal's match. Exact and prefix are as written; a suffix becomes a regular expression in Istio, unescaped, so a
 * dot in it is any character there and here.
 */
export function principalMatcher(pattern: string): StringMatcher {
  if (pattern === '*' || !pattern.startsWith('*')) return stringMatcher(pattern)
  const regex = dotted(pattern.slice(1), (text) => `^.*${text}$`)
  return regex ? (value) => fromBoolean(regex.test(value)) : () => 'unknown'
}

/** `namespaces`: the identity has `/ns/<namespace>/` in it; a star in the namespace is any text. */
export function namespaceMatcher(pattern: string): StringMatcher {
  const regex = dotted(pattern.replaceAll('*', '\0'), (text) => `^.*/ns/${text.replaceAll('\0', '.*')}/.*$`)
  return regex ? (value) => fromBoolean(regex.test(`spiffe://${value}`)) : () => 'unknown'
}

/** `serviceAccounts`: `namespace/name`, or a name in the policy's namespace, of any trust domain. */
export function serviceAccountMatcher(pattern: string, policyNamespace: string): StringMatcher {
  const at = pattern.indexOf('/')
  const namespace = at < 0 ? policyNamespace : pattern.slice(0, at)
  const regex = dotted(
    `${namespace}\0${pattern.slice(at + 1)}`,
    (text) => `^spiffe://.+/ns/${text.replace('\0', '/(.+/|)sa/')}(/.+)?$`,
  )
  return regex ? (value) => fromBoolean(regex.test(`spiffe://${value}`)) : () => 'unknown'
}

/** One of many patterns; exact ones, by far the most, are looked up in a set. */
export function anyOf(patterns: readonly string[], compile: (pattern: string) => StringMatcher): StringMatcher {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const others = patterns.filter((pattern) => pattern.includes('*')).map(compile)
  return (value) => (exact.has(value) ? 'yes' : some(others, (matcher) => matcher(value)))
}

// Istio puts the text into RE2 as it is. A dot means the same in JavaScript; anything else that is special is not
// evaluated: the engines differ, and a policy could stall this one.
function dotted(text: string, build: (text: string) => string): RegExp | null {
  return /[[\](){}|^$+?\\*]/.test(text) ? null : new RegExp(build(text), 's')
}
