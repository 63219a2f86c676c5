import { stringify } from 'yaml'
import type { Pick } from './traffic.ts'

type Node = Record<string, unknown>

const TYPE = 'type.googleapis.com/envoy.extensions'
const TEXTS = [
  { exact: '/orders' },
  { exact: '/ORDERS', ignore_case: true },
  { exact: '/orders/{*}' },
  { prefix: '/orders/' },
  { prefix: '/Car', ignore_case: true },
  { suffix: '/items' },
  { suffix: '.2' },
  { suffix: 'LATEST', ignore_case: true },
  { contains: '=' },
  { contains: '//' },
  { safe_regex: { regex: '/orders/[0-9]+' } },
  { safe_regex: { regex: '/orders/[^/]*/?(items)?' } },
  { safe_regex: { regex: '^/carts/.*$' } },
  { safe_regex: { regex: '.*;v=\\d.*' } },
  { safe_regex: { regex: '/(files|reports)/.+' } },
  { safe_regex: { regex: '/reports/[\\d-]+\\/?' } },
]
const TEMPLATES = [
  '/orders/*',
  '/orders/{id}',
  '/orders/{id=*}/items',
  '/carts/**',
  '/{kind}/**',
  '/**',
  '/*/latest',
  '/reports/*/',
  '/prices;v=2/*',
  '/catalog/*/*/{day}',
]
const METHODS = [
  { string_match: { exact: 'GET' } },
  { string_match: { exact: 'get', ignore_case: true } },
  { string_match: { prefix: 'P' } },
  { string_match: { safe_regex: { regex: '[A-Z]+T' } } },
  { string_match: { exact: 'GET' }, invert_match: true },
  { exact_match: 'POST' },
  { present_match: true },
  { present_match: false },
]
const IDENTITIES = [
  { exact: 'spiffe://cluster.local/ns/shop/sa/frontend' },
  { exact: 'spiffe://cluster.local/ns/ops/sa/reports' },
  { prefix: 'spiffe://cluster.local/ns/shop/' },
  { safe_regex: { regex: 'spiffe://cluster.local/ns/[a-z]+/sa/.*k.*' } },
]

function permission(pick: Pick, depth: number): Node {
  const leaves = [
    () => ({ any: true }),
    () => ({ url_path: { path: pick(TEXTS) } }),
    () => ({ url_path: { path: pick(TEXTS) } }),
    () => ({ uri_template: template(pick(TEMPLATES)) }),
    () => ({ header: { name: ':method', ...pick(METHODS) } }),
    () => ({ destination_port: pick([8080, 9090, 80]) }),
    () => ({ destination_port_range: pick([{ start: 8080, end: 8081 }, { end: 9090 }, { start: 9090, end: 65_536 }]) }),
  ]
  const nodes = [
    () => ({ and_rules: { rules: several(pick, () => permission(pick, depth - 1)) } }),
    () => ({ or_rules: { rules: several(pick, () => permission(pick, depth - 1)) } }),
    () => ({ not_rule: permission(pick, depth - 1) }),
  ]
  return pick(depth > 0 ? [...leaves, ...nodes, ...nodes] : leaves)()
}

function template(text: string): Node {
  const typed_config = { '@type': `${TYPE}.path.match.uri_template.v3.UriTemplateMatchConfig`, path_template: text }
  return { name: 'envoy.path.match.uri_template.uri_template_matcher', typed_config }
}

function principal(pick: Pick, depth: number): Node {
  const verified = (config: Node) => ({
    custom: {
      name: 'envoy.rbac.principals.mtls_authenticated',
      typed_config: { '@type': `${TYPE}.rbac.principals.mtls_authenticated.v3.Config`, ...config },
    },
  })
  const leaves = [
    () => ({ any: true }),
    () => ({ authenticated: { principal_name: pick(IDENTITIES) } }),
    () => ({ authenticated: {} }),
    () => verified({ san_matcher: { san_type: 'URI', matcher: pick([...IDENTITIES, { suffix: '/sa/reports' }]) } }),
    () => verified({ any_validated_client_certificate: true }),
    () => ({ url_path: { path: pick(TEXTS) } }),
    () => ({ header: { name: ':method', ...pick(METHODS) } }),
  ]
  const nodes = [
    () => ({ and_ids: { ids: several(pick, () => principal(pick, depth - 1)) } }),
    () => ({ or_ids: { ids: several(pick, () => principal(pick, depth - 1)) } }),
    () => ({ not_id: principal(pick, depth - 1) }),
  ]
  return pick(depth > 0 ? [...leaves, ...nodes, ...nodes] : leaves)()
}

function several<T>(pick: Pick, make: () => T): T[] {
  return Array.from({ length: pick([1, 2, 2, 3]) }, make)
}

function rules(pick: Pick): Node {
  const names = ['b', 'a', 'B', 'é', '10', '9'].slice(0, pick([0, 2, 3, 4, 6]))
  const policies = names.map((name) => [
    name,
    { permissions: several(pick, () => permission(pick, 2)), principals: several(pick, () => principal(pick, 2)) },
  ])
  return { action: pick(['ALLOW', 'ALLOW', 'DENY', 'LOG']), policies: Object.fromEntries(policies) }
}

/** A file as a person might write it, of one to three filters with everything that replay can decide. */
export function randomFilters(pick: Pick): string {
  const filters = Array.from({ length: pick([1, 1, 2, 3]) }, () => ({
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': `${TYPE}.filters.http.rbac.v3.RBAC`,
      ...pick<() => Node>([
        () => ({ rules: rules(pick) }),
        () => ({ rules: rules(pick) }),
        () => ({ rules: rules(pick), shadow_rules: rules(pick) }),
        () => ({ shadow_rules: rules(pick) }),
      ])(),
    },
  }))
  const head = { proxies: { namespace: 'shop', selector: { app: 'orders' }, resumes_sessions: false } }
  return [head, ...filters].map((document) => stringify(document, { aliasDuplicateObjects: false })).join('---\n')
}
