import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server, ServerCredentials, type ServerReadableStream, type ServiceDefinition } from '@grpc/grpc-js'

/** What was received, as it came: one buffer a message. */
export interface Recorded {
  /** Messages of each stream of the access log service (`StreamAccessLogsMessage`); the first one names node and log. */
  als: Buffer[][]
  /** `ExportLogsServiceRequest` over gRPC. */
  grpcLogs: Buffer[]
  /** The same over HTTP. */
  httpLogs: Buffer[]
}

export interface Recorder {
  recorded: Recorded
  grpcPort: number
  httpPort: number
  stop(): Promise<void>
}

const raw = (bytes: Buffer) => bytes
const method = (path: string, requestStream: boolean) => ({
  path,
  requestStream,
  responseStream: false,
  requestSerialize: raw,
  requestDeserialize: raw,
  responseSerialize: raw,
  responseDeserialize: raw,
})

const ALS: ServiceDefinition = {
  streamAccessLogs: method('/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs', true),
}
const OTLP_LOGS: ServiceDefinition = {
  export: method('/opentelemetry.proto.collector.logs.v1.LogsService/Export', false),
}

/** Receivers on loopback that keep the bytes and decode nothing. */
export async function startRecorder(): Promise<Recorder> {
  const recorded: Recorded = { als: [], grpcLogs: [], httpLogs: [] }
  const grpc = new Server()
  grpc.addService(ALS, {
    streamAccessLogs: (call: ServerReadableStream<Buffer, Buffer>) => {
      const messages: Buffer[] = []
      recorded.als.push(messages)
      call.on('data', (message: Buffer) => messages.push(message))
      // Envoy ends its streams by going away.
      call.on('error', () => call.destroy())
    },
  })
  grpc.addService(OTLP_LOGS, {
    export: (call: { request: Buffer }, answer: (error: null, response: Buffer) => void) => {
      recorded.grpcLogs.push(call.request)
      answer(null, Buffer.alloc(0))
    },
  })
  const grpcPort = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  )
  const http = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      recorded.httpLogs.push(Buffer.concat(parts))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    recorded,
    grpcPort,
    httpPort: (http.address() as AddressInfo).port,
    stop: async () => {
      grpc.forceShutdown()
      await closed(http)
    },
  }
}

function closed(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
