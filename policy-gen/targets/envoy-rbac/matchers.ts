import type { Condition } from '../../../services/model/permission.ts'
import { claimOf } from '../../grants/claims.ts'
import { isPrefix, type PathPattern, prefixOf } from '../../grants/pattern.ts'
import type { GrantProduct, Rule } from '../../grants/rules.ts'
import { TEMPLATE_VALUE } from '../../template-characters.ts'

/** A node of Envoy's permission or principal tree (envoy.config.rbac.v3). */
export type Matcher = Record<string, unknown>

const ANY: Matcher = { any: true }
const TYPE = 'type.googleapis.com/envoy.extensions'
/** One value of a parameter, as in Envoy's own templates. */
const VALUE = TEMPLATE_VALUE.source.slice(1, -1)
/** What Envoy takes as a template's literal: RFC 3986's pchar without `*`, which is an operator. */
const TEMPLATE_LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/** What one entry of a rule grants: every list that it has must match, and of each list one. */
export function permissionOf({ ports, methods, paths, notPaths }: GrantProduct): Matcher {
  const rules = [
    ...anyOf(ports.map((port) => ({ destination_port: port }))),
    ...anyOf(methods.map((method) => ({ header: { name: ':method', string_match: { exact: method } } }))),
    ...anyOf(paths.map(pathMatcher)),
    ...anyOf(notPaths.map(pathMatcher)).map((rule) => ({ not_rule: rule })),
  ]
  const [only = ANY] = rules
  return rules.length > 1 ? { and_rules: { rules } } : only
}

/** Where Envoy's filter for tokens leaves what it verified, and under which name (`payload_in_metadata`): as Istio has it. */
const TOKENS = 'envoy.filters.http.jwt_authn'
const PAYLOAD = 'payload'

/** Who a rule is for: its callers and, where it asks for users, only with their tokens. */
export function principalsOf({ principals, when }: Pick<Rule, 'principals' | 'when'>): Matcher[] {
  const callers = principals.map(principalOf)
  if (when.length === 0) return callers
  const [only] = callers
  const who = callers.length === 1 && only ? only : { or_ids: { ids: callers } }
  return [{ and_ids: { ids: [who, ...when.map(claimMatcher)] } }]
}

/** A claim that is one of the values, or a list with one of them. */
function claimMatcher(condition: Condition): Matcher {
  const path = [{ key: PAYLOAD }, { key: claimOf(condition) ?? '' }]
  const value_matchers = condition.values.flatMap((exact) => {
    const string_match = { exact }
    return [{ string_match }, { list_match: { one_of: { string_match } } }]
  })
  return { metadata: { filter: TOKENS, path, value: { or_match: { value_matchers } } } }
}

/**
 * A caller by the URI of its certificate, which the listener must require and verify. `mtls_authenticated`, which Envoy
 * recommends, denies everything on a resumed TLS session (its issue 42668; the lab's Envoy 1.40.0 does so).
 */
function principalOf(principal: string): Matcher {
  return { authenticated: { principal_name: { exact: `spiffe://${principal}` } } }
}

function anyOf(rules: Matcher[]): Matcher[] {
  return rules.length > 1 ? [{ or_rules: { rules } }] : rules
}

/** True for a pattern that Envoy's path templates can say; others with a parameter become a regular expression. */
export function isTemplate(pattern: PathPattern): boolean {
  if (!pattern.includes('{*}')) return false
  const segments = pattern.slice(1).split('/')
  return segments.every(
    (text, at) =>
      text === '{*}' || TEMPLATE_LITERAL.test(text) || ((text === '' || text === '{**}') && at === segments.length - 1),
  )
}

function pathMatcher(pattern: PathPattern): Matcher {
  if (isTemplate(pattern)) {
    const path_template = pattern.replaceAll('{*}', '*').replace('{**}', '**')
    return {
      uri_template: {
        name: 'envoy.path.match.uri_template.uri_template_matcher',
        typed_config: { '@type': `${TYPE}.path.match.uri_template.v3.UriTemplateMatchConfig`, path_template },
      },
    }
  }
  if (!pattern.includes('{*}')) {
    return { url_path: { path: isPrefix(pattern) ? { prefix: prefixOf(pattern) } : { exact: pattern } } }
  }
  const values = (text: string) => text.split('{*}').map(escapeRe2).join(VALUE)
  const regex = isPrefix(pattern) ? `${values(prefixOf(pattern))}.*` : values(pattern)
  return { url_path: { path: { safe_regex: { regex } } } }
}

function escapeRe2(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
