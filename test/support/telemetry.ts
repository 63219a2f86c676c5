/** What a line of the recommended access log says here; everything has a default. Paths and names go in as they are. */
export interface ShortLine {
  from?: string
  to?: string
  method?: string
  path?: string
  at?: string
  status?: number
  /** Refused by policy. */
  denied?: boolean
}

/** A callee's line in the recommended format: `from` and `to` are `namespace/workload`. */
export function accessLine(short: ShortLine = {}): string {
  const [fromNamespace, from] = (short.from ?? 'shop/web').split('/')
  const [toNamespace, to] = (short.to ?? 'shop/orders').split('/')
  return JSON.stringify({
    start_time: short.at ?? '2026-11-05T10:00:00.000Z',
    method: short.method ?? 'GET',
    path: short.path ?? '/orders',
    original_path: null,
    protocol: 'HTTP/1.1',
    response_code: short.denied ? 403 : (short.status ?? 200),
    response_code_details: short.denied ? 'rbac_access_denied_matched_policy[none]' : 'via_upstream',
    response_flags: '-',
    bytes_received: 0,
    bytes_sent: 17,
    duration: 3,
    request_id: 'b2d4c8de-0000-4000-8000-000000000001',
    authority: `${to}.${toNamespace}`,
    upstream_cluster: 'inbound|8080||',
    upstream_host: '10.0.0.2:8080',
    downstream_local_address: '10.0.0.2:8080',
    downstream_remote_address: '10.0.0.1:41000',
    requested_server_name: `outbound_.80_._.${to}.${toNamespace}.svc.cluster.local`,
    source_principal: `spiffe://cluster.local/ns/${fromNamespace}/sa/${from}`,
    destination_principal: `spiffe://cluster.local/ns/${toNamespace}/sa/${to}`,
    tls_version: 'TLSv1.3',
  })
}

/** The same line as Fluent Bit ships it, with the pod that wrote it. */
export function shippedLine(short: ShortLine = {}): string {
  const [namespace, workload] = (short.to ?? 'shop/orders').split('/')
  return JSON.stringify({
    log: `${accessLine(short)}\n`,
    kubernetes: {
      namespace_name: namespace,
      pod_name: `${workload}-6f6cfc45b-h5m2n`,
      container_name: 'istio-proxy',
    },
  })
}

export interface ShortSpan {
  trace: number
  id: number
  parent?: number
  service: string
  namespace?: string
  kind: 'server' | 'client' | 'internal'
  method?: string
  route?: string
  /** Milliseconds since 1970. */
  at?: number
  /** How long it takes, milliseconds. */
  takes?: number
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')
const KINDS = { internal: 1, server: 2, client: 3 }

/** Spans as one OTLP/JSON request: a line of a file. */
export function spanLine(spans: ShortSpan[]): string {
  return JSON.stringify({
    resourceSpans: spans.map((span) => ({
      resource: {
        attributes: attributes({ 'service.name': span.service, 'k8s.namespace.name': span.namespace ?? 'shop' }),
      },
      scopeSpans: [
        {
          spans: [
            {
              traceId: hex(span.trace, 32),
              spanId: hex(span.id, 16),
              parentSpanId: span.parent === undefined ? '' : hex(span.parent, 16),
              name: 'call',
              kind: KINDS[span.kind],
              startTimeUnixNano: `${span.at ?? Date.parse('2026-11-05T10:00:00Z')}000000`,
              endTimeUnixNano: `${(span.at ?? Date.parse('2026-11-05T10:00:00Z')) + (span.takes ?? 5)}000000`,
              attributes: attributes({ 'http.request.method': span.method ?? 'GET', 'http.route': span.route ?? '/' }),
            },
          ],
        },
      ],
    })),
  })
}

const attributes = (pairs: Record<string, string>) =>
  Object.entries(pairs).map(([key, stringValue]) => ({ key, value: { stringValue } }))

/** One service calls another, `calls` times, in traces that are numbered from `trace` on. */
export function callLine(
  caller: string,
  callee: string,
  { calls = 1, method = 'GET', route = '/orders', trace = 1 } = {},
): string {
  const spans = Array.from({ length: calls }, (_, index): ShortSpan[] => [
    { trace: trace + index, id: 1, service: caller, kind: 'client', method },
    { trace: trace + index, id: 2, parent: 1, service: callee, kind: 'server', method, route },
  ])
  return spanLine(spans.flat())
}
