/** A span as OTLP/JSON writes it; what is left out is absent. */
export interface TestSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind?: number | string
  startTimeUnixNano: string | number
  endTimeUnixNano?: string | number
  attributes?: Record<string, string | number>
}

export interface TestResource {
  attributes: Record<string, string | number>
  spans: TestSpan[]
}

const attributeList = (attributes: Record<string, string | number>) =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }))

/** One OTLP/JSON request, as a line without its newline. */
export function toJson(resources: TestResource[]): string {
  return JSON.stringify({
    resourceSpans: resources.map(({ attributes, spans }) => ({
      resource: { attributes: attributeList(attributes) },
      scopeSpans: [
        {
          scope: { name: 'test' },
          spans: spans.map((span) => ({ ...span, attributes: attributeList(span.attributes ?? {}) })),
        },
      ],
    })),
  })
}

/** One OTLP/protobuf request (opentelemetry-proto trace/v1/trace.proto; encoding: protobuf.dev/programming-guides/encoding). */
export function toProtobuf(resources: TestResource[]): Buffer {
  return Buffer.concat(
    resources.map(({ attributes, spans }) =>
      nested(1, [
        nested(1, attributesOf(1, attributes)),
        nested(2, [nested(1, [text(1, 'test')]), ...spans.map((span) => nested(2, spanOf(span)))]),
      ]),
    ),
  )
}

/** The Collector's file exporter: the length in four bytes before each request. */
export function toCollectorFile(requests: Buffer[]): Buffer {
  return Buffer.concat(requests.flatMap((request) => [lengthOf(request), request]))
}

function lengthOf(request: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(request.length)
  return head
}

const KINDS = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
]

function spanOf(span: TestSpan): Buffer[] {
  const kind = typeof span.kind === 'string' ? KINDS.indexOf(span.kind) : (span.kind ?? 0)
  return [
    field(1, Buffer.from(span.traceId, 'hex')),
    field(2, Buffer.from(span.spanId, 'hex')),
    text(3, 'vendor=state'),
    ...(span.parentSpanId ? [field(4, Buffer.from(span.parentSpanId, 'hex'))] : []),
    text(5, span.name),
    number(6, BigInt(kind)),
    fixed64(7, span.startTimeUnixNano),
    fixed64(8, span.endTimeUnixNano ?? span.startTimeUnixNano),
    ...attributesOf(9, span.attributes ?? {}),
    nested(15, [number(3, 1n)]),
  ]
}

function attributesOf(tag: number, attributes: Record<string, string | number>): Buffer[] {
  return Object.entries(attributes).map(([key, value]) =>
    nested(tag, [text(1, key), nested(2, [typeof value === 'number' ? number(3, BigInt(value)) : text(1, value)])]),
  )
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

const tag = (id: number, wireType: number) => varint(BigInt((id << 3) | wireType))
const number = (id: number, value: bigint) => Buffer.concat([tag(id, 0), varint(value)])
const field = (id: number, bytes: Buffer) => Buffer.concat([tag(id, 2), varint(BigInt(bytes.length)), bytes])
const text = (id: number, value: string) => field(id, Buffer.from(value))
const nested = (id: number, parts: Buffer[]) => field(id, Buffer.concat(parts))

function fixed64(id: number, value: string | number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return Buffer.concat([tag(id, 1), bytes])
}
