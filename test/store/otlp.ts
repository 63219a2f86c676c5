/** A span as both encodings of OTLP carry it; times in nanoseconds since 1970. */
interface Span {
  service: string
  traceId: string
  spanId: string
  parentSpanId: string
  name: string
  kind: number
  start: bigint
  end: bigint
  method: string
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')

/** `web` calls `orders` in each of `traces` traces: a client span in one, a server span in the other. */
export function callsOfWeb(traces: number, startMs: number): Span[] {
  return Array.from({ length: traces }, (_, trace) => {
    const start = BigInt(startMs + trace * 1000) * 1_000_000n
    const shared = {
      traceId: hex(trace + 1, 32),
      method: trace % 3 === 0 ? 'POST' : 'GET',
      start,
      end: start + 5_000_000n,
    }
    return [
      { ...shared, service: 'web', spanId: hex(2 * trace + 1, 16), parentSpanId: '', name: '/basket', kind: 3 },
      {
        ...shared,
        service: 'orders',
        spanId: hex(2 * trace + 2, 16),
        parentSpanId: hex(2 * trace + 1, 16),
        name: '/orders',
        kind: 2,
      },
    ]
  }).flat()
}

const attributesOf = (span: Span): [string, string][] => [
  ['http.request.method', span.method],
  ['url.path', span.name],
]

/** One request as a line of OTLP JSON. */
export function toJsonLine(spans: Span[]): string {
  const attributes = (pairs: [string, string][]) => pairs.map(([key, stringValue]) => ({ key, value: { stringValue } }))
  const resourceSpans = spans.map((span) => ({
    resource: {
      attributes: attributes([
        ['service.name', span.service],
        ['k8s.namespace.name', 'shop'],
      ]),
    },
    scopeSpans: [
      {
        spans: [
          {
            ...{
              traceId: span.traceId,
              spanId: span.spanId,
              parentSpanId: span.parentSpanId,
              name: span.name,
              kind: span.kind,
            },
            ...{ startTimeUnixNano: String(span.start), endTimeUnixNano: String(span.end) },
            attributes: attributes(attributesOf(span)),
          },
        ],
      },
    ],
  }))
  return `${JSON.stringify({ resourceSpans })}\n`
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

/** A length-delimited field (wire type 2). */
function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content as Buffer)
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

function fixed64(number: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return Buffer.concat([varint((number << 3) | 1), bytes])
}

const attribute = (number: number, key: string, value: string) =>
  field(number, Buffer.concat([field(1, key), field(2, field(1, value))]))

/** The same as an `ExportTraceServiceRequest` in protobuf (opentelemetry-proto trace/v1). */
export function toProtobuf(spans: Span[]): Buffer {
  return Buffer.concat(
    spans.map((span) => {
      const resource = Buffer.concat([
        attribute(1, 'service.name', span.service),
        attribute(1, 'k8s.namespace.name', 'shop'),
      ])
      const message = Buffer.concat([
        field(1, Buffer.from(span.traceId, 'hex')),
        field(2, Buffer.from(span.spanId, 'hex')),
        ...(span.parentSpanId === '' ? [] : [field(4, Buffer.from(span.parentSpanId, 'hex'))]),
        field(5, span.name),
        Buffer.concat([varint(6 << 3), varint(span.kind)]),
        fixed64(7, span.start),
        fixed64(8, span.end),
        ...attributesOf(span).map(([key, value]) => attribute(9, key, value)),
      ])
      return field(1, Buffer.concat([field(1, resource), field(2, field(2, message))]))
    }),
  )
}
