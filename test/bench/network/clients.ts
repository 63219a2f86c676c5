import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { type ClientHttp2Stream, connect } from 'node:http2'
import type { Body, Way } from './bodies.ts'

/** Where Cinch listens. */
export interface Target {
  /** The API, for lines. */
  url: string
  /** Its admin token. */
  token: string
  /** OTLP/HTTP. */
  http: string
  /** OTLP/gRPC and the access log service, without a scheme. */
  grpc: string
}

/** One connection, which sends one request after the other. */
export interface Connection {
  /** Resolves to true when the receiver says that it is stored, to false when it is to be sent again. */
  send(body: Body): Promise<boolean>
  /** Ends it. For streams, which are acknowledged as a whole, resolves when all that was sent is stored. */
  end(): Promise<void>
}

/** A connection for a way in. As bare as Node has them: what is measured is the receiver. */
export function connectTo(way: Way, target: Target): Connection {
  if (way === 'lines') return overHttp(`${target.url}/ingest/istio-json`, { authorization: `Bearer ${target.token}` })
  if (way === 'otlp_http') return overHttp(`${target.http}/v1/traces`, { 'content-type': 'application/x-protobuf' })
  return way === 'otlp_grpc' ? overGrpc(target.grpc) : logStream(target.grpc)
}

function overHttp(url: string, headers: Record<string, string>): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    send: ({ bytes }) =>
      new Promise((resolve, reject) => {
        const length = { 'content-encoding': 'gzip', 'content-length': bytes.length }
        request(url, { method: 'POST', agent, headers: { ...headers, ...length } }, (answer) => {
          answer.resume().once('end', () => {
            if (answer.statusCode === 200) resolve(true)
            else if (answer.statusCode === 503 || answer.statusCode === 429) resolve(false)
            else reject(new Error(`the answer is ${answer.statusCode}`))
          })
        })
          .once('error', reject)
          .end(bytes)
      }),
    end: async () => agent.destroy(),
  }
}

const UNAVAILABLE = 14
const RESOURCE_EXHAUSTED = 8
const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const STREAM = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs'

/** A message as gRPC frames it (gRPC over HTTP2, Length-Prefixed-Message). */
function framed(bytes: Buffer, isPacked: boolean): Buffer {
  const head = Buffer.alloc(5)
  head[0] = isPacked ? 1 : 0
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

function openCall(session: ReturnType<typeof connect>, path: string, packing: Record<string, string>) {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...packing }
  return session.request(headers)
}

/** The status that a call ends with. @throws Error when the connection breaks */
async function statusOf(call: ClientHttp2Stream): Promise<number> {
  let status: string | undefined
  const look = (headers: Record<string, unknown>) => {
    if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status'])
  }
  call.on('response', look).on('trailers', look).resume()
  await once(call, 'end')
  if (status === undefined) throw new Error('a call ended without a status')
  return Number(status)
}

function overGrpc(address: string): Connection {
  const session = connect(`http://${address}`)
  return {
    send: async ({ bytes }) => {
      const call = openCall(session, EXPORT, { 'grpc-encoding': 'gzip' })
      call.end(framed(bytes, true))
      const status = await statusOf(call)
      if (status !== 0 && status !== UNAVAILABLE && status !== RESOURCE_EXHAUSTED)
        throw new Error(`the status is ${status}`)
      return status === 0
    },
    end: async () => session.close(),
  }
}

/** One worker's stream of an Envoy. A message counts as sent when the receiver let it through; the stream's end, as stored. */
function logStream(address: string): Connection {
  const session = connect(`http://${address}`)
  const call = openCall(session, STREAM, {})
  const status = statusOf(call)
  return {
    send: async ({ bytes }) => {
      if (!call.write(framed(bytes, false))) await once(call, 'drain')
      return true
    },
    end: async () => {
      call.end()
      if ((await status) !== 0) throw new Error(`the stream ended with status ${await status}`)
      session.close()
    },
  }
}
