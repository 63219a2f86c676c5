import { ProtobufLogsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { checkJson, checkProtobuf, OTLP_SIGNALS } from '../../../services/collector/receivers/signals.ts'
import {
  countAlong,
  exportResponse,
  fieldsOf,
  onlyFirstField,
  statusMessage,
  withoutField,
} from '../../../services/collector/receivers/wire.ts'
import { CinchError } from '../../../services/model/errors.ts'
import { toJson, toProtobuf } from '../otlp.ts'

const signal = (name: string) => OTLP_SIGNALS.find((candidate) => candidate.signal === name)!
const resources = (counts: number[]) =>
  counts.map((count, resource) => ({
    attributes: { 'service.name': `s${resource}` },
    spans: Array.from({ length: count }, (_, span) => ({
      traceId: '1'.repeat(32),
      spanId: String(span + 1).padStart(16, '0'),
      name: 'x'.repeat(span),
      startTimeUnixNano: '1700000000000000000',
    })),
  }))

describe('a field is left out along its path', () => {
  const schema = protobuf.parse(`syntax = "proto3"; message Identifier { Node node = 1; string log_name = 2; }
    message Node { string id = 1; string cluster = 2; repeated Extension extensions = 9; bool hidden = 11; } message Extension { string name = 1; }
    message Message { Identifier identifier = 1; }`).root
  const type = schema.lookupType('Message')
  const node = { id: 'sidecar~1', cluster: 'orders.shop', hidden: true }

  test('and all others stay', () => {
    const extensions = Array.from({ length: 3000 }, (_, index) => ({ name: `envoy.filters.${index}` }))
    const whole = type.encode({ identifier: { node: { ...node, extensions }, logName: 'x' } }).finish()
    const short = withoutField(Buffer.from(whole), [1, 1, 9])!
    expect(type.toObject(type.decode(short))).toEqual({ identifier: { node, logName: 'x' } })
    expect(withoutField(short, [1, 1, 9])).toEqual(short)
  })

  test('unless there is no message along it', () => {
    for (const bytes of [
      [0x08, 1],
      [0x0a, 2, 0x08, 1],
      [0x0a, 3, 0x0a, 1, 0xff],
      [0x0a, 9],
    ])
      expect(withoutField(Buffer.from(bytes), [1, 1, 9]), bytes.join()).toBeUndefined()
  })
})

describe('records of a request are counted', () => {
  test.each([[[]], [[1]], [[3, 0, 500]]])('spans in protobuf and JSON: %j', (counts) => {
    const total = counts.reduce((sum: number, count) => sum + count, 0)
    expect(checkProtobuf(signal('traces'), toProtobuf(resources(counts))).records).toBe(total)
    expect(checkJson(signal('traces'), Buffer.from(toJson(resources(counts)))).records).toBe(total)
  })

  test('log records and data points of the SDK', async () => {
    const logs = new InMemoryLogRecordExporter()
    const provider = new LoggerProvider({
      resource: resourceFromAttributes({ a: 'b' }),
      processors: [new SimpleLogRecordProcessor({ exporter: logs })],
    })
    for (let index = 0; index < 7; index++) provider.getLogger('test').emit({ body: `line ${index}` })
    const request = Buffer.from(ProtobufLogsSerializer.serializeRequest(logs.getFinishedLogRecords())!)
    expect(checkProtobuf(signal('logs'), request).records).toBe(7)

    const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 1e6 })
    const meter = new MeterProvider({ readers: [reader] }).getMeter('test')
    for (const color of ['red', 'green', 'blue']) meter.createCounter('c').add(1, { color })
    meter.createHistogram('h').record(3)
    await reader.forceFlush()
    const body = Buffer.from(ProtobufMetricsSerializer.serializeRequest(metrics.getMetrics()[0]!)!)
    expect(checkProtobuf(signal('metrics'), body).records).toBe(4)
    await reader.shutdown()
  })

  test('JSON with line breaks is one line, and says the same', () => {
    const request = JSON.parse(toJson(resources([2]))) as object
    const pretty = Buffer.from(`\n${JSON.stringify(request, null, 2).replaceAll('\n', '\r\n')}\r\n`)
    const { bytes, records } = checkJson(signal('traces'), pretty)
    expect(records).toBe(2)
    expect(bytes.includes('\n') || bytes.includes('\r')).toBe(false)
    expect(JSON.parse(bytes.toString())).toEqual(request)
  })
})

describe('what is no request', () => {
  test.each(['', 'x', '[]', 'null', '{"resourceSpans":[', '{"a":1}{"b":2}', '1'])('JSON %j', (text) =>
    expect(() => checkJson(signal('traces'), Buffer.from(text))).toThrow(CinchError),
  )

  test('half a request, cut anywhere but between its resources, is refused; whatever bytes come, nothing else happens', () => {
    const whole = toProtobuf(resources([2, 3]))
    const ends = fieldsOf(whole)!.map(({ to }) => to)
    for (let cut = 1; cut < whole.length; cut++)
      if (!ends.includes(cut))
        expect(() => checkProtobuf(signal('traces'), whole.subarray(0, cut)), `cut at ${cut}`).toThrow(CinchError)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const found = countAlong(bytes, [[1], [2], [2]])
        expect(found === undefined || found >= 0).toBe(true)
      }),
    )
  })

  test('lists in lists are not walked', () => {
    const deep = `{"resourceSpans":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`
    expect(checkJson(signal('traces'), Buffer.from(deep)).records).toBe(0)
  })
})

test('fields of a later version of the protocol are left out, the rest is as it was', () => {
  const request = toProtobuf(resources([1]))
  const later = Buffer.from([0x12, 0x02, 0x68, 0x69, 0x18, 0x05])
  expect(onlyFirstField(Buffer.concat([later, request, later]))?.equals(request)).toBe(true)
  expect(onlyFirstField(request)).toBe(request)
})

/** The answers as protobufjs reads them, from the published definitions. */
const root = protobuf.parse(`syntax = "proto3";
  message Response { Partial partial_success = 1; }
  message Partial { int64 rejected = 1; string error_message = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Any { string type_url = 1; bytes value = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }`).root
const decode = (type: string, bytes: Uint8Array) => {
  const found = root.lookupType(type)
  return found.toObject(found.decode(bytes), { longs: Number })
}

describe('answers', () => {
  test('all is well: empty', () => expect(exportResponse(0, '')).toHaveLength(0))
  test('some were rejected', () =>
    expect(decode('Response', exportResponse(300, 'why'))).toEqual({
      partialSuccess: { rejected: 300, errorMessage: 'why' },
    }))
  test.each([
    [1, { nanos: 1_000_000 }],
    [1500, { seconds: 1, nanos: 500_000_000 }],
    [60_000, { seconds: 60 }],
    [99.2, { nanos: 100_000_000 }],
  ])('come again in %d ms', (ms, retryDelay) => {
    const status = decode('Status', statusMessage(8, 'full', ms)) as {
      details: { type_url: string; value: Uint8Array }[]
    }
    expect(status).toMatchObject({ code: 8, message: 'full' })
    expect(status.details[0]).toHaveProperty('typeUrl', 'type.googleapis.com/google.rpc.RetryInfo')
    expect(decode('RetryInfo', status.details[0]!.value)).toEqual({ retryDelay })
  })
})
