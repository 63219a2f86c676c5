import { type Fields, message, pair, socket } from '../../collector/sources-envoy/encode.ts'
import { EDGES } from '../lines.ts'

/** Envoy's default `buffer_size_bytes`: a stream's messages have about so many bytes. */
const MESSAGE_BYTES = 16 << 10
const SERVICES = 300
const HTTP1 = 2
const MTLS_1_3 = 4
const DOWNSTREAM_END = 6

/**
 * Messages of one Envoy's access log stream with `count` entries in all, the first with the identifier: inbound requests as
 * a sidecar logs them, over the edges of `lines.ts`.
 */
export function streamMessages(count: number, first: number, timeMs: number): { bytes: Buffer; records: number }[] {
  const messages: { bytes: Buffer; records: number }[] = []
  const identifier: Fields = [
    [
      1,
      [
        [1, node(first)],
        [2, 'access'],
      ] satisfies Fields,
    ],
  ]
  let entries: Buffer[] = []
  let size = 0
  for (let index = 0; index < count; index++) {
    const entry = message([[1, httpEntry(first + index, timeMs)]])
    entries.push(entry)
    size += entry.length
    if (size < MESSAGE_BYTES && index < count - 1) continue
    const logs: Fields = [[2, Buffer.concat(entries)]]
    messages.push({ bytes: message(messages.length === 0 ? [...identifier, ...logs] : logs), records: entries.length })
    entries = []
    size = 0
  }
  return messages
}

function node(first: number): Fields {
  const callee = Math.floor((first % EDGES) / 8)
  return [
    [
      1,
      `sidecar~10.1.0.${callee % 250}~svc${callee}-7d9c5b8f6-x2x4z.ns${callee % 10}~ns${callee % 10}.svc.cluster.local`,
    ],
  ]
}

/** `HTTPAccessLogEntry` (envoy/data/accesslog/v3/accesslog.proto), as Envoy fills it on an inbound listener. */
function httpEntry(index: number, timeMs: number): Fields {
  const edge = Math.imul(index, 2654435761) >>> 0
  const callee = Math.floor((edge % EDGES) / 8)
  const source = edge % SERVICES
  const name = `svc${callee}.ns${callee % 10}.svc.cluster.local`
  const calleeAddress = socket(`10.1.${callee >> 8}.${callee & 255}`, 8080)
  const callerAddress = socket(`10.2.${source >> 8}.${source & 255}`, 30_000 + (index % 30_000))
  const certificate = (of: number): Fields => [
    [1, [[1, `spiffe://cluster.local/ns/ns${of % 10}/sa/svc${of}`]] satisfies Fields],
  ]
  const nanoseconds = (milliseconds: number): Fields => [[2, milliseconds * 1_000_000 + (index % 1000)]]
  const id = index.toString(16).padStart(12, '0')
  return [
    [
      1,
      [
        [2, callerAddress],
        [3, calleeAddress],
        [
          4,
          [
            [1, MTLS_1_3],
            [3, `outbound_.80_._.${name}`],
            [4, certificate(callee)],
            [5, certificate(source)],
          ] satisfies Fields,
        ],
        [
          5,
          [
            [1, Math.floor(timeMs / 1000)],
            [2, (timeMs % 1000) * 1_000_000],
          ] satisfies Fields,
        ],
        ...[6, 7, 8, 9, 10, 11, 12].map((field): Fields[number] => [field, nanoseconds(index % 90)]),
        [13, socket(`10.1.${callee >> 8}.${callee & 255}`, 8080)],
        [14, socket('127.0.0.6', 30_000 + (index % 30_000))],
        [15, 'inbound|8080||'],
        [20, callerAddress],
        [22, pair('certificate_hash', `${id}${id}${id}${id}${id}abcd`)],
        [23, nanoseconds(index % 90)],
        [24, 1],
        [33, DOWNSTREAM_END],
      ],
    ],
    [2, HTTP1],
    [
      3,
      [
        [1, 1],
        [3, `svc${callee}.ns${callee % 10}:80`],
        [5, `/api/v1/resource${edge % 7}/${index}`],
        [6, 'Go-http-client/1.1'],
        [9, `4f1c2d3e-5a6b-4c7d-a8e9-${id}`],
        [12, index % 500],
        [13, pair('traceparent', `00-4f1c2d3e5a6b4c7da8e9${id}-5a6b4c7d${id.slice(4)}-01`)],
      ],
    ],
    [
      4,
      [
        [1, [[1, 200]]],
        [3, index % 5000],
        [6, 'via_upstream'],
      ],
    ],
  ]
}
