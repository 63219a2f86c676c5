/** Canned answers of the fixture server about operations, policies and replay. */

const SEEN = { first_seen: '2026-01-05T06:00:00Z', last_seen: '2026-01-31T23:58:00Z' }

export const OPERATIONS = [
  operation('GET', '/api/v1/orders/{uuid}', 812_441, 0, []),
  operation('POST', '/api/v1/orders', 90_112, 37, []),
  operation('GET', '/api/v1/orders', 12_018, 0, ['query']),
  operation('GET', '/internal/debug%2fvars', 3, 0, ['encoded_slash']),
  operation('', '', 41, 0, []),
]

function operation(method: string, path: string, requests: number, denied: number, path_flags: string[]) {
  const ports = { service_port: 80, workload_port: 8080 }
  const identity = { evidence: 'verified', reporter: 'destination', mtls: 'yes' }
  return { method, path, path_flags, protocol: 'http', ...ports, requests, denied, ...identity, ...SEEN, days: 27 }
}

export interface Source {
  id: string
  title: string
  facts: number
  last_seen: string
}

export const SOURCES: Source[] = [
  { id: 'istio-json', title: 'Istio access log, JSON', facts: 48_112_034, last_seen: '2026-01-31T23:58:00Z' },
  { id: 'otlp-traces', title: 'OpenTelemetry traces', facts: 1_204_551, last_seen: '2026-01-31T23:41:00Z' },
]

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: api
  namespace: shop
spec:
  selector:
    matchLabels:
      app: api
  action: ALLOW
  rules:
    - from:
        - source:
            principals:
              - "cluster.local/ns/shop/sa/web"
      to:
        - operation:
            ports: ["8080"]
            methods: ["GET"]
            paths: ["/api/v1/orders", "/api/v1/orders/{*}"]
`

const DENY =
  'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: default-deny\n  namespace: shop\nspec: {}\n'

/** What `POST /api/v1/policies` answers; the naming rules that were sent come back as assumed. */
export function policies(request: { principal?: string; selector?: string }) {
  const { principal, selector } = request
  return {
    files: [
      { path: '1-allow/shop.api.yaml', content: POLICY },
      { path: '3-default-deny/shop.yaml', content: DENY },
    ],
    report: {
      permissions: [
        {
          effect: 'allow',
          caller: { principal: 'cluster.local/ns/shop/sa/web', basis: 'observed', workloads: [] },
          callee: {
            cluster: 'east',
            namespace: 'shop',
            workload: 'api',
            members: ['api'],
            selector: { app: 'api' },
            selectorBasis: 'inventory',
          },
          port: 8080,
          operation: { method: 'GET', path: '/api/v1/orders/{uuid}', flags: [] },
          evidence: { ...SEEN, days: 27, requests: 812_441, strength: 'verified', reporters: ['destination'] },
        },
      ],
      skipped: [
        {
          code: 'evidence',
          reason: 'The caller is only claimed.',
          caller: 'batch/worker',
          callee: 'shop/api',
          operations: 1,
          requests: 214,
          denied: 0,
        },
      ],
      assumed: { ...(principal ? { principal } : {}), ...(selector ? { selector } : {}) },
      loss: [
        {
          kind: 'equals',
          done: 'widened',
          detail: 'A segment with = in a template',
          callee: 'shop/api',
          caller: 'shop/web',
          port: 8080,
          method: 'GET',
          path: '/a=b/{int}',
          requests: 12,
        },
      ],
    },
  }
}

export const REPLAY = {
  window: { since: '2026-01-05T00:00:00Z', until: '2026-02-01T00:00:00Z' },
  requests: 914_830,
  still_allowed: 914_485,
  still_denied: 37,
  newly_denied: [replayed('batch/worker', 'GET', '/api/v1/export', 214, 'No rule of shop/api allows this caller.')],
  newly_allowed: [],
  denied_not_found: [],
  refused: [
    {
      ...replayed('shop/debug', 'GET', '/api/v1/secrets', 37, 'No rule of shop/api allows this caller.'),
      evidence: 'verified',
      days: 3,
    },
  ],
  declared: { allowed: 0, not_allowed: [], expired: [] },
  uncertain: [
    replayed('10.20.30.40', 'POST', '/api/v1/orders', 53, 'The caller has no principal.'),
    replayed('shop/web', '', '', 41, 'No reporter told method and path.'),
  ],
}

function replayed(source: string, method: string, path: string, requests: number, reason: string) {
  return {
    source,
    destination: 'shop/api',
    service_port: 80,
    workload_port: 8080,
    method,
    path,
    requests,
    ...SEEN,
    reason,
  }
}
