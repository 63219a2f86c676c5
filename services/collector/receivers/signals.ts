import { CinchError } from '../../model/errors.ts'
import type { Signal } from '../gather/quota.ts'
import { SOURCES, type Source } from '../sources/index.ts'
import { countAlong, onlyFirstField } from './wire.ts'

/** What an OTLP signal is called on the way in, and how its requests are built. */
export interface OtlpSignal {
  signal: Signal
  /** The source that reads it. */
  source: string
  httpPath: string
  grpcPath: string
  /** Fields from a request to its records in protobuf. */
  path: number[][]
  /** The same in JSON. */
  keys: string[][]
  /** What the answer calls rejected records, in JSON. */
  rejectedKey: string
}

const service = (name: string) => `/opentelemetry.proto.collector.${name}/Export`

/** The three signals (opentelemetry-proto, collector/<signal>/v1; the number of data points is counted for metrics). */
export const OTLP_SIGNALS: OtlpSignal[] = [
  {
    signal: 'traces',
    source: 'otlp-traces',
    httpPath: '/v1/traces',
    grpcPath: service('trace.v1.TraceService'),
    path: [[1], [2], [2]],
    keys: [['resourceSpans'], ['scopeSpans'], ['spans']],
    rejectedKey: 'rejectedSpans',
  },
  {
    signal: 'logs',
    source: 'otlp-logs',
    httpPath: '/v1/logs',
    grpcPath: service('logs.v1.LogsService'),
    path: [[1], [2], [2]],
    keys: [['resourceLogs'], ['scopeLogs'], ['logRecords']],
    rejectedKey: 'rejectedLogRecords',
  },
  {
    signal: 'metrics',
    source: 'otlp-metrics',
    httpPath: '/v1/metrics',
    grpcPath: service('metrics.v1.MetricsService'),
    path: [[1], [2], [2], [5, 7, 9, 10, 11], [1]],
    keys: [
      ['resourceMetrics'],
      ['scopeMetrics'],
      ['metrics'],
      ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'],
      ['dataPoints'],
    ],
    rejectedKey: 'rejectedDataPoints',
  },
]

/** The source of a signal; undefined where this Cinch does not read it. */
export const sourceOf = (id: string): Source | undefined => SOURCES.find((source) => source.id === id)

/** A request as it can be gathered with others. */
export interface Checked {
  bytes: Buffer
  records: number | undefined
}

/**
 * Looks whether a protobuf request is well-formed down to its records, and counts them.
 * @throws CinchError `bad_request`
 */
export function checkProtobuf({ path }: OtlpSignal, body: Buffer): Checked {
  const bytes = onlyFirstField(body)
  const records = bytes && countAlong(bytes, path)
  if (!bytes || records === undefined)
    throw new CinchError('bad_request', 'the body is no OTLP request in protobuf', 'see that it was sent whole')
  return { bytes, records }
}

/** Up to this size JSON is parsed to see that it is whole and how much is in it; beyond, only the engine looks at it. */
const JSON_PARSED_BYTES_MAX = 4 << 20

/**
 * The same for JSON, as one line.
 * @throws CinchError `bad_request`
 */
export function checkJson({ keys }: OtlpSignal, body: Buffer): Checked {
  const bad = (why: string, cause?: unknown) =>
    new CinchError('bad_request', `the body is no OTLP request in JSON: ${why}`, 'see that it was sent whole', {
      cause,
    })
  const bytes = oneLine(body)
  if (bytes.length > JSON_PARSED_BYTES_MAX) {
    if (bytes[0] !== 0x7b || bytes.at(-1) !== 0x7d) throw bad('it is no object')
    return { bytes, records: undefined }
  }
  let request: unknown
  try {
    request = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw bad('it cannot be parsed', cause)
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request)) throw bad('it is no object')
  return { bytes, records: countKeys(request, keys) }
}

/** Within strings JSON has no line breaks as they are, so those that are there separate tokens, as blanks do. */
function oneLine(body: Buffer): Buffer {
  const isBlank = (byte: number | undefined) => byte === 0x0a || byte === 0x0d || byte === 0x20 || byte === 0x09
  let from = 0
  let to = body.length
  while (from < to && isBlank(body[from])) from++
  while (from < to && isBlank(body[to - 1])) to--
  const trimmed = body.subarray(from, to)
  for (const byte of [0x0a, 0x0d])
    for (let at = trimmed.indexOf(byte); at !== -1; at = trimmed.indexOf(byte, at + 1)) trimmed[at] = 0x20
  return trimmed
}

/** How many there are at the end of a path of keys, of which each level has some. Lists within lists are none of OTLP's. */
function countKeys(value: unknown, keys: string[][]): number {
  const [wanted, ...deeper] = keys
  let count = 0
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) continue
    if (!wanted) count++
    else for (const key of wanted) count += countKeys((item as Record<string, unknown>)[key], deeper)
  }
  return count
}
