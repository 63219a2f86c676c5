import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { TestResource, TestSpan } from './otlp.ts'

export const TRAINTICKET = fileURLToPath(
  new URL('../../../shared/data/trainticket/traces.otlp.jsonl.gz', import.meta.url),
)
export const hasTrainticket = existsSync(TRAINTICKET)

/** The recorded requests, each parsed, in the file's order. */
export function readTrainticket(): { lines: string[]; resources: TestResource[] } {
  const lines = gunzipSync(readFileSync(TRAINTICKET)).toString().trimEnd().split('\n')
  return { lines, resources: lines.flatMap((line) => (JSON.parse(line) as Request).resourceSpans.map(resourceOf)) }
}

interface Attribute {
  key: string
  value: { stringValue?: string; intValue?: string | number }
}
interface Request {
  resourceSpans: {
    resource: { attributes: Attribute[] }
    scopeSpans: { spans: (Omit<TestSpan, 'attributes'> & { attributes: Attribute[] })[] }[]
  }[]
}

function resourceOf({ resource, scopeSpans }: Request['resourceSpans'][number]): TestResource {
  const values = (attributes: Attribute[]) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]))
  const spans = scopeSpans.flatMap(({ spans: list }) =>
    list.map((span) => ({ ...span, attributes: values(span.attributes) })),
  )
  return { attributes: values(resource.attributes), spans }
}

/** What a service call is, said once more in plain JavaScript, to check the SQL by other means. */
export interface Truth {
  spans: number
  distinct: number
  calls: number
  edges: Map<string, number>
  operations: Set<string>
}

/**
 * The calls in spans: an entry (not a client's own span) whose parent is of another service. The method and route are the
 * entry's own, else those of a client span that is its parent. Spans that occur twice count once.
 */
export function truthOf(resources: TestResource[]): Truth {
  const all = resources.flatMap(({ attributes, spans }) =>
    spans.map((span) => ({ span, service: String(attributes['service.name']) })),
  )
  const byId = new Map(all.map((entry) => [`${entry.span.traceId}/${entry.span.spanId}`, entry]))
  const truth: Truth = { spans: all.length, distinct: byId.size, calls: 0, edges: new Map(), operations: new Set() }
  for (const { span, service } of byId.values()) {
    const parent = span.parentSpanId ? byId.get(`${span.traceId}/${span.parentSpanId}`) : undefined
    if (!parent || parent.service === service || span.kind === 3 || span.kind === 4) continue
    truth.calls++
    const edge = `${parent.service} > ${service}`
    truth.edges.set(edge, (truth.edges.get(edge) ?? 0) + 1)
    truth.operations.add(`${edge} ${methodOf(span) || methodOf(parent.span)} ${routeOf(span)}`)
  }
  return truth
}

const methodOf = (span: TestSpan) =>
  String(span.attributes?.['http.request.method'] ?? /^HTTP ([A-Z]+)$/.exec(span.name)?.[1] ?? '')

function routeOf(span: TestSpan): string {
  const route = String(span.attributes?.['http.route'] ?? (span.name.startsWith('/') ? span.name : ''))
  return route.replace(/\{(\w+):[^/{}]*\}/g, '{$1}')
}
