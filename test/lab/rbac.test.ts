import { describe, expect, test } from 'vitest'
import { rbacFilters } from './rbac.ts'

const ORDERS = { namespace: 'shop', labels: { app: 'orders' } }

function policy(spec: string, namespace = 'shop'): string {
  const metadata = `metadata: {name: p, namespace: ${namespace}}`
  return `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n${metadata}\nspec: ${spec}\n`
}

function allowing(operation: string): string {
  return policy(`{rules: [{to: [{operation: ${operation}}]}]}`)
}

describe('rbacFilters', () => {
  test('renders a rule as istiod does', () => {
    const spec =
      '{rules: [{from: [{source: {principals: ["cluster.local/ns/a/sa/b"]}}], to: [{operation: {methods: ["GET"], paths: ["/a/{*}", "/b/*/c"], ports: ["8080"]}}]}]}'
    expect(rbacFilters(policy(spec), ORDERS)).toEqual([
      {
        name: 'envoy.filters.http.rbac',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
          rules: {
            action: 'ALLOW',
            policies: {
              'ns[shop]-policy[p]-rule[0]': {
                permissions: [
                  {
                    and_rules: {
                      rules: [
                        {
                          or_rules: {
                            rules: [
                              { header: { name: ':method', string_match: { exact: 'GET', ignore_case: false } } },
                            ],
                          },
                        },
                        {
                          or_rules: {
                            rules: [
                              {
                                uri_template: {
                                  name: 'envoy.path.match.uri_template.uri_template_matcher',
                                  typed_config: {
                                    '@type':
                                      'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
                                    path_template: '/a/*',
                                  },
                                },
                              },
                              { url_path: { path: { exact: '/b/*/c' } } },
                            ],
                          },
                        },
                        { or_rules: { rules: [{ destination_port: 8080 }] } },
                      ],
                    },
                  },
                ],
                principals: [
                  {
                    and_ids: {
                      ids: [
                        {
                          or_ids: {
                            ids: [{ authenticated: { principal_name: { exact: 'spiffe://cluster.local/ns/a/sa/b' } } }],
                          },
                        },
                      ],
                    },
                  },
                ],
              },
            },
          },
        },
      },
    ])
  })

  test('chooses policies by namespace, root namespace and labels', () => {
    expect(rbacFilters(policy('{rules: [{}]}', 'other'), ORDERS)).toEqual([])
    expect(rbacFilters(policy('{selector: {matchLabels: {app: carts}}, rules: [{}]}'), ORDERS)).toEqual([])
    expect(rbacFilters(policy('{rules: [{}]}', 'istio-system'), ORDERS)).toHaveLength(1)
    expect(rbacFilters(policy('{rules: [{}]}', 'mesh'), { ...ORDERS, rootNamespace: 'mesh' })).toHaveLength(1)
  })

  test('puts DENY before ALLOW, whatever the order of the documents', () => {
    const yaml = `${policy('{rules: [{}]}')}---\n${policy('{action: DENY, rules: [{}]}')}`
    const actions = rbacFilters(yaml, ORDERS).map(
      ({ typed_config }) => (typed_config.rules as { action: string }).action,
    )
    expect(actions).toEqual(['DENY', 'ALLOW'])
  })

  test('an ALLOW policy without rules matches nothing, and its filter is there: deny all', () => {
    const [filter] = rbacFilters(policy('{}'), ORDERS)
    expect(filter?.typed_config.rules).toMatchObject({
      policies: { 'ns[shop]-policy[p]-rule[0]': { permissions: [{ not_rule: { any: true } }] } },
    })
  })

  test.each([
    ['a field that it does not know', policy('{rules: [{when: [{key: source.ip}]}]}'), /document 1 .*when/],
    ['an action that it cannot enforce', policy('{action: CUSTOM, rules: [{}]}'), /action/],
    ['an empty list', allowing('{methods: []}'), /fewer than 1/],
    ['an operator that shares its segment', allowing('{paths: ["/a/{*}.txt"]}'), /Istio refuses the path/],
    ['an operator after {**}', allowing('{paths: ["/a/{**}/{*}"]}'), /Istio refuses the path/],
    ['a port that is none', allowing('{ports: ["http"]}'), /no port/],
    ['another kind', 'kind: NetworkPolicy', /no AuthorizationPolicy/],
    ['a permissive PeerAuthentication', 'kind: PeerAuthentication\nspec: {mtls: {mode: PERMISSIVE}}', /document 1/],
    ['what is not YAML', 'a: [', /not YAML/],
  ])('refuses %s', (_, yaml, message) => {
    expect(() => rbacFilters(yaml, ORDERS)).toThrow(message)
  })
})
