/** Writes OTLP/protobuf by hand: fields of opentelemetry-proto trace/v1/trace.proto, only those that Cinch reads and usual company. */

const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))]
const tagged = (field: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes])
const text = (field: number, value: string) => tagged(field, Buffer.from(value))
const attribute = (field: number, key: string, value: string) =>
  tagged(field, Buffer.concat([text(1, key), tagged(2, text(1, value))]))

function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = (field << 3) | 1
  bytes.writeBigUInt64LE(value, 1)
  return bytes
}

const SPANS_PER_REQUEST = 512
const START_NS = BigInt(Date.UTC(2026, 10, 20)) * 1_000_000n

/** Which spans: their ids follow from the first one's number, their times from where the numbers begin and how far they are apart. */
export interface SpanRange {
  first: number
  startNs: bigint
  stepNs: bigint
}

const A_SPAN_A_MILLISECOND: SpanRange = { first: 0, startNs: START_NS, stepNs: 1_000_000n }

/** `count` spans in requests of 512, as an SDK batches them: chains of a client and a server span with ten attributes each. */
export function spanRequests(count: number, range = A_SPAN_A_MILLISECOND): Buffer {
  const requests: Buffer[] = []
  for (let at = 0; at < count; at += SPANS_PER_REQUEST)
    requests.push(resourceSpans(range, range.first + at, Math.min(SPANS_PER_REQUEST, count - at)))
  return Buffer.concat(requests)
}

/** A call that nobody else makes: the client's span of `caller` in the namespace `marks`, and the server's. */
export function markedCall(caller: string, startNs: bigint): Buffer {
  const range = { first: 0, startNs, stepNs: 0n }
  // Far from the ids of `spanRequests`: a client's span is odd, its server's the next.
  const index = 8 * (200_000_000 + Number(/\d+$/.exec(caller)?.[0] ?? 0)) + 1
  return Buffer.concat([
    resource('marks', caller, tagged(2, span(range, index))),
    resource('shop', 'marked', tagged(2, span(range, index + 1))),
  ])
}

function resourceSpans(range: SpanRange, first: number, count: number): Buffer {
  const service = Math.floor(first / SPANS_PER_REQUEST) % 40
  const spans = Array.from({ length: count }, (_, index) => tagged(2, span(range, first + index)))
  return resource('shop', `service-${service}`, Buffer.concat(spans))
}

function resource(namespace: string, service: string, spans: Buffer): Buffer {
  const about = tagged(
    1,
    Buffer.concat([
      attribute(1, 'service.name', service),
      attribute(1, 'k8s.namespace.name', namespace),
      attribute(1, 'k8s.pod.name', `${service}-5d8f7c9b6d-x2x9z`),
      attribute(1, 'telemetry.sdk.language', 'go'),
      attribute(1, 'telemetry.sdk.name', 'opentelemetry'),
    ]),
  )
  return tagged(1, Buffer.concat([about, tagged(2, spans)]))
}

function span({ startNs, stepNs }: SpanRange, index: number): Buffer {
  const trace = Buffer.alloc(16)
  trace.writeUInt32BE(1 + Math.floor(index / 8), 0)
  trace.writeUInt32BE(Math.imul(index >> 3, 2654435761) >>> 0, 12)
  const id = (number: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(number + 1, 4)
    return bytes
  }
  const start = startNs + BigInt(index) * stepNs
  const isServer = index % 2 === 0
  return Buffer.concat([
    tagged(1, trace),
    tagged(2, id(index)),
    ...(index % 8 === 0 ? [] : [tagged(4, id(index - 1))]),
    text(5, isServer ? 'GET /api/v1/items/{id}' : 'GET'),
    Buffer.from([6 << 3, isServer ? 2 : 3]),
    fixed64(7, start),
    fixed64(8, start + 900_000n),
    attribute(9, 'http.request.method', 'GET'),
    attribute(9, 'url.path', `/api/v1/items/${index % 1000}`),
    attribute(9, 'http.route', '/api/v1/items/{id}'),
    attribute(9, 'server.address', 'service.shop.svc'),
    attribute(9, 'network.protocol.version', '1.1'),
    attribute(9, 'user_agent.original', 'Go-http-client/1.1'),
    attribute(9, 'http.response.status_code', '200'),
  ])
}
