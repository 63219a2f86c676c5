import type { HttpFilter } from './envoy-config.ts'
import {
  type IstioCondition,
  type IstioOperation,
  type IstioPolicy,
  type IstioRule,
  type IstioSource,
  isPathTemplate,
  parsePolicies,
} from './istio-policy.ts'

/** The workload whose sidecar enforces: policies are chosen by its namespace and labels. */
export interface Enforcer {
  namespace: string
  labels: Record<string, string>
  /** Policies here hold for the whole mesh; `istio-system` when left out. */
  rootNamespace?: string
}

/** A node of Envoy's permission or principal tree (envoy.config.rbac.v3). */
type Matcher = Record<string, unknown>

/**
 * Translates rendered Istio AuthorizationPolicies into the RBAC filters that istiod would give the workload's sidecar:
 * a DENY filter, then an ALLOW filter, each only when a policy of that action selects the workload.
 *
 * Written from Istio's pilot/pkg/security/authz (builder, model, matcher), independent of Cinch's generator and replay.
 * Not covered, and refused by `parsePolicies`: CUSTOM, AUDIT, `when` but for claims, IP blocks, request principals, targetRefs. Trust
 * domain aliases do not exist in the lab.
 * @throws Error from `parsePolicies`, or for a port that is no number
 */
export function rbacFilters(yaml: string, enforcer: Enforcer): HttpFilter[] {
  const policies = parsePolicies(yaml).filter((policy) => applies(policy, enforcer))
  return (['DENY', 'ALLOW'] as const).flatMap((action) => {
    const chosen = policies.filter((policy) => (policy.spec?.action ?? 'ALLOW') === action)
    return chosen.length === 0 ? [] : [filterOf(action, chosen)]
  })
}

function applies(policy: IstioPolicy, enforcer: Enforcer): boolean {
  const { namespace } = policy.metadata
  if (namespace !== enforcer.namespace && namespace !== (enforcer.rootNamespace ?? 'istio-system')) return false
  const wanted = Object.entries(policy.spec?.selector?.matchLabels ?? {})
  return wanted.every(([key, value]) => enforcer.labels[key] === value)
}

function filterOf(action: 'ALLOW' | 'DENY', policies: IstioPolicy[]): HttpFilter {
  const dryRun = (policy: IstioPolicy) => policy.metadata.annotations?.['istio.io/dry-run'] === 'true'
  const enforced = policies.filter((policy) => !dryRun(policy))
  const shadow = policies.filter(dryRun)
  return {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
      // An ALLOW policy that is only dry run enforces nothing: Envoy takes absent rules as no enforcement at all.
      ...(enforced.length > 0 && { rules: rulesOf(action, enforced) }),
      ...(shadow.length > 0 && {
        shadow_rules: rulesOf(action, shadow),
        shadow_rules_stat_prefix: `istio_dry_run_${action.toLowerCase()}_`,
      }),
    },
  }
}

function rulesOf(action: 'ALLOW' | 'DENY', policies: IstioPolicy[]) {
  const entries = policies.flatMap((policy) => {
    const { name, namespace } = policy.metadata
    const id = (index: number) => `ns[${namespace}]-policy[${name}]-rule[${index}]`
    const rules = policy.spec?.rules ?? []
    if (rules.length === 0) return [[id(0), MATCH_NEVER] as const]
    return rules.map((rule, index) => [id(index), ruleOf(rule, namespace)] as const)
  })
  return { action, policies: Object.fromEntries(entries) }
}

const ANY: Matcher = { any: true }
const MATCH_NEVER = { permissions: [{ not_rule: ANY }], principals: [{ not_id: ANY }] }

/** Entries of `from` and of `to` are alternatives; the fields of one entry hold together; values of a field are alternatives. */
function ruleOf(rule: IstioRule, namespace: string) {
  return {
    permissions: (rule.to ?? [{ operation: {} }]).map(({ operation }) => permissionOf(operation)),
    principals: (rule.from ?? [{ source: {} }]).map(({ source }) => principalOf(source, namespace, rule.when ?? [])),
  }
}

function permissionOf(operation: IstioOperation): Matcher {
  const rules = [
    ...permissionField(operation.hosts, operation.notHosts, (value) => headerMatcher(':authority', value, true)),
    ...permissionField(operation.methods, operation.notMethods, (value) => headerMatcher(':method', value, false)),
    ...permissionField(operation.paths, operation.notPaths, pathMatcher),
    ...permissionField(operation.ports, operation.notPorts, (value) => ({ destination_port: portNumber(value) })),
  ]
  return { and_rules: { rules: rules.length > 0 ? rules : [ANY] } }
}

function permissionField(values: string[] = [], not: string[] = [], matcher: (value: string) => Matcher): Matcher[] {
  const any = (list: string[]): Matcher => ({ or_rules: { rules: list.map(matcher) } })
  return [...(values.length > 0 ? [any(values)] : []), ...(not.length > 0 ? [{ not_rule: any(not) }] : [])]
}

function principalOf(source: IstioSource, namespace: string, when: IstioCondition[]): Matcher {
  const ids = [
    ...principalField(source.principals, source.notPrincipals, (value) => stringMatcher(value, 'spiffe://')),
    ...principalField(source.namespaces, source.notNamespaces, namespaceMatcher),
    ...principalField(source.serviceAccounts, source.notServiceAccounts, (value) =>
      serviceAccountMatcher(value, namespace),
    ),
    ...when.flatMap(claimConditions),
  ]
  return { and_ids: { ids: ids.length > 0 ? ids : [ANY] } }
}

/** A claim is a string or a list of strings in what the token filter leaves behind (Istio's MetadataMatcherForJWTClaims). */
function claimConditions({ key, values = [], notValues = [] }: IstioCondition): Matcher[] {
  const claim = /\[(\w+)\]$/.exec(key)?.[1] ?? ''
  const matches = (value: string): Matcher => {
    const string_match = stringMatcher(value)
    const value_matchers = [{ string_match }, { list_match: { one_of: { string_match } } }]
    const path = [{ key: 'payload' }, { key: claim }]
    return { metadata: { filter: 'envoy.filters.http.jwt_authn', path, value: { or_match: { value_matchers } } } }
  }
  const any = (list: string[]): Matcher => ({ or_ids: { ids: list.map(matches) } })
  return [...(values.length > 0 ? [any(values)] : []), ...(notValues.length > 0 ? [{ not_id: any(notValues) }] : [])]
}

function principalField(values: string[] = [], not: string[] = [], matcher: (value: string) => Matcher): Matcher[] {
  const any = (list: string[]): Matcher => ({
    or_ids: { ids: list.map((value) => ({ authenticated: { principal_name: matcher(value) } })) },
  })
  return [...(values.length > 0 ? [any(values)] : []), ...(not.length > 0 ? [{ not_id: any(not) }] : [])]
}

/** `*` is presence; a leading or trailing star is suffix or prefix; a star elsewhere is an ordinary character. */
function stringMatcher(value: string, prefix = ''): Matcher {
  if (value === '*') return { safe_regex: { regex: '.+' } }
  if (value.startsWith('*')) {
    // Not escaped: so does Istio, and a dot of the suffix then matches any character.
    return prefix === '' ? { suffix: value.slice(1) } : { safe_regex: { regex: `${prefix}.*${value.slice(1)}` } }
  }
  if (value.endsWith('*')) return { prefix: prefix + value.slice(0, -1) }
  return { exact: prefix + value }
}

function headerMatcher(name: string, value: string, ignoreCase: boolean): Matcher {
  if (value === '*') return { header: { name, present_match: true } }
  return { header: { name, string_match: { ...stringMatcher(value), ignore_case: ignoreCase } } }
}

/** Templates go to Envoy's own template matcher, which matches the path without query and fragment, as `url_path` does. */
function pathMatcher(path: string): Matcher {
  if (!isPathTemplate(path)) return { url_path: { path: stringMatcher(path) } }
  return {
    uri_template: {
      name: 'envoy.path.match.uri_template.uri_template_matcher',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
        path_template: path.replaceAll('{*}', '*').replaceAll('{**}', '**'),
      },
    },
  }
}

/** `ports` are the workload's: Envoy compares the local port of the connection. */
function portNumber(port: string): number {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new Error(`${port} is no port: Istio wants 0 to 65535`)
  return Number(port)
}

function namespaceMatcher(namespace: string): Matcher {
  return { safe_regex: { regex: `.*/ns/${namespace.replaceAll('*', '.*')}/.*` } }
}

/** `namespace/account`, or an account of the policy's namespace; Istio's regular expression takes any trust domain. */
function serviceAccountMatcher(account: string, policyNamespace: string): Matcher {
  const [namespace, name] = account.includes('/') ? account.split('/') : [policyNamespace, account]
  return { safe_regex: { regex: `spiffe://.+/ns/${namespace}/(.+/|)sa/${name}(/.+)?` } }
}
