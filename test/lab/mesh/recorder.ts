import { Server, ServerCredentials, type ServerReadableStream, type ServiceDefinition } from '@grpc/grpc-js'

/** What Envoys sent, as it came: nothing is decoded. */
export interface Recorded {
  /** Messages of each stream of the access log service; only the first one says which Envoy it is. */
  als: Buffer[][]
  /** `ExportLogsServiceRequest`s and `ExportTraceServiceRequest`s. */
  logs: Buffer[]
  traces: Buffer[]
}

export interface Recorder {
  recorded: Recorded
  /** `host:port`, for `als` and `otlpGrpc` of a mesh. */
  address: string
  stop(): void
}

const MESSAGE_BYTES_MAX = 64 * 1024 * 1024

const raw = (bytes: Buffer) => bytes
const method = (path: string, requestStream = false) => ({
  ...{ path, requestStream, responseStream: false },
  ...{ requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw },
})

const ALS = {
  stream: method('/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs', true),
} satisfies ServiceDefinition
const COLLECTOR = '/opentelemetry.proto.collector'
const LOGS = { export: method(`${COLLECTOR}.logs.v1.LogsService/Export`) } satisfies ServiceDefinition
const TRACES = { export: method(`${COLLECTOR}.trace.v1.TraceService/Export`) } satisfies ServiceDefinition

/** A collector on loopback that keeps bytes. */
export async function startRecorder(): Promise<Recorder> {
  const recorded: Recorded = { als: [], logs: [], traces: [] }
  const server = new Server({ 'grpc.max_receive_message_length': MESSAGE_BYTES_MAX })
  const keep =
    (into: Buffer[]) =>
    ({ request }: { request: Buffer }, answer: (error: null, response: Buffer) => void) => {
      into.push(request)
      // An empty message: everything was taken.
      answer(null, Buffer.alloc(0))
    }
  server.addService(LOGS, { export: keep(recorded.logs) })
  server.addService(TRACES, { export: keep(recorded.traces) })
  server.addService(ALS, {
    stream: (call: ServerReadableStream<Buffer, Buffer>) => {
      const messages: Buffer[] = []
      recorded.als.push(messages)
      call.on('data', (message: Buffer) => messages.push(message))
      // Envoy ends its streams by going away.
      call.on('error', () => call.destroy())
    },
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  return { recorded, address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() }
}

/** One field of a protobuf message that is bytes: `tag` is its number. */
export function lengthDelimited(tag: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((tag << 3) | 2), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}
