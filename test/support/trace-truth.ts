/** One operation of one caller at one callee, and how often it was called. */
export interface TruthCall {
  source: string
  destination: string
  method: string
  path: string
  requests: number
}

interface Attribute {
  key: string
  value: { stringValue?: string }
}

interface Span {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  attributes: Attribute[]
  service: string
}

interface Request {
  resourceSpans: {
    resource: { attributes: Attribute[] }
    scopeSpans: { spans: Omit<Span, 'service'>[] }[]
  }[]
}

const CLIENT = 3
const value = (attributes: Attribute[], key: string) =>
  attributes.find((attribute) => attribute.key === key)?.value.stringValue ?? ''

/**
 * The service calls of OTLP/JSON lines, by other means than the product's: all spans in one map, a call where a span's
 * parent is another service's. Spans that occur twice are one. The method is the callee's or its caller's client span's; the
 * path is the callee's route.
 */
export function operationsOfSpans(lines: string): TruthCall[] {
  const spans = new Map<string, Span>()
  for (const line of lines.split('\n'))
    if (line !== '')
      for (const span of spansOf(JSON.parse(line) as Request)) spans.set(`${span.traceId} ${span.spanId}`, span)
  const calls = new Map<string, TruthCall>()
  for (const span of spans.values()) {
    const parent = spans.get(`${span.traceId} ${span.parentSpanId}`)
    if (!parent || parent.service === span.service || span.kind === CLIENT) continue
    const call = callOf(span, parent)
    const key = JSON.stringify(call)
    const known = calls.get(key) ?? { ...call, requests: 0 }
    known.requests++
    calls.set(key, known)
  }
  return [...calls.values()]
}

function spansOf(request: Request): Span[] {
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = value(resource.attributes, 'service.name')
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service })))
  })
}

function callOf(span: Span, parent: Span): Omit<TruthCall, 'requests'> {
  const own = value(span.attributes, 'http.request.method')
  const asked = parent.kind === CLIENT ? value(parent.attributes, 'http.request.method') : ''
  const path = value(span.attributes, 'http.route') || (span.name.startsWith('/') ? span.name : '')
  return { source: parent.service, destination: span.service, method: own || asked, path }
}
