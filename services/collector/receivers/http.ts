import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { CinchError } from '../../model/errors.ts'
import { OverloadedError } from '../../model/overloaded.ts'
import type { Gatherer } from '../gather/gather.ts'
import type { Outcome } from '../gather/parts.ts'
import type { Observer } from '../observe.ts'
import type { Origin } from '../origin.ts'
import type { Source } from '../sources/index.ts'
import type { Authenticate } from './authenticate.ts'
import { REQUEST_BYTES_MAX, readBody, tooLarge } from './body.ts'
import { checkJson, checkProtobuf, OTLP_SIGNALS, type OtlpSignal, sourceOf } from './signals.ts'
import type { Tls } from './tls.ts'
import { ENCODINGS, isEncoding } from './unpack.ts'
import { exportResponse, statusMessage } from './wire.ts'

/** What every receiver works with. */
export interface ReceiverContext {
  gatherer: Gatherer
  authenticate: Authenticate
  observe: Observer
  /** What went wrong inside: for the log, never for the sender. */
  onFault: (error: unknown) => void
}

/** Headers must be there within this time, a whole request within the other; both also bound what a stalled sender holds. */
const HEADERS_WITHIN_MS = 10_000
const REQUEST_WITHIN_MS = 60_000
/** Exporters send every few seconds; a connection that is silent for longer is closed. */
const IDLE_MS = 75_000
const CHECK_CONNECTIONS_EVERY_MS = 5000
const HEADER_BYTES_MAX = 16 << 10
/** What is left of a body that was refused is read away for so long, so that its sender can read the answer. */
const DRAIN_MS = 1000

const RECEIVER = 'otlp_http'

/** An answer that is no success: HTTP status, gRPC code (google/rpc/code.proto) and text. */
class Refusal extends Error {
  readonly status: number
  readonly code: number
  readonly headers: Record<string, string>

  constructor(status: number, code: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

type Encoding = 'protobuf' | 'json'
const MEDIA: Record<Encoding, string> = { protobuf: 'application/x-protobuf', json: 'application/json' }

/** The server of OTLP over HTTP (OpenTelemetry protocol, section OTLP/HTTP). Listens nowhere yet. */
export function createOtlpHttp(context: ReceiverContext, tls?: Tls): Server {
  const options = {
    headersTimeout: HEADERS_WITHIN_MS,
    requestTimeout: REQUEST_WITHIN_MS,
    keepAliveTimeout: IDLE_MS,
    connectionsCheckingInterval: CHECK_CONNECTIONS_EVERY_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  }
  const listener = (request: IncomingMessage, response: ServerResponse) => void handle(context, request, response)
  return tls ? createSecureServer({ ...options, ...tls.options }, listener) : createServer(options, listener)
}

async function handle(context: ReceiverContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const encoding: Encoding = mediaType(request) === MEDIA.json ? 'json' : 'protobuf'
  try {
    const { signal, outcome } = await take(context, request, encoding)
    const body = success(signal, outcome, encoding)
    response.writeHead(200, { 'content-type': MEDIA[encoding], 'content-length': body.length }).end(body)
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal.status === 500) context.onFault(error)
    const isAllRead = await readAway(request)
    const body =
      encoding === 'json'
        ? Buffer.from(JSON.stringify({ code: refusal.code, message: refusal.message }))
        : statusMessage(refusal.code, refusal.message)
    response
      .writeHead(refusal.status, {
        'content-type': MEDIA[encoding],
        'content-length': body.length,
        ...refusal.headers,
        ...(isAllRead ? {} : { connection: 'close' }),
      })
      .end(body)
  }
}

async function take(
  context: ReceiverContext,
  request: IncomingMessage,
  encoding: Encoding,
): Promise<{ signal: OtlpSignal; outcome: Outcome }> {
  const { signal, source } = routeOf(request)
  const packing = (request.headers['content-encoding'] ?? '').trim().toLowerCase()
  if (mediaType(request) !== MEDIA[encoding])
    throw new Refusal(415, 3, `send ${MEDIA.protobuf} or ${MEDIA.json}`, { accept: `${MEDIA.protobuf}, ${MEDIA.json}` })
  if (!isEncoding(packing))
    throw new Refusal(415, 3, `content-encoding ${ENCODINGS} are understood`, { 'accept-encoding': ENCODINGS })
  const origin = await originOf(context, request, source)
  if (Number(request.headers['content-length'] ?? 0) > REQUEST_BYTES_MAX) throw tooLarge()
  const flow = { source: source.id, sender: origin.sender, receiver: RECEIVER }
  let hold: ReturnType<Gatherer['admit']> | undefined
  try {
    hold = context.gatherer.admit(origin.sender, signal.signal)
    const body = await readBody(request, packing, hold)
    const { bytes, records } = encoding === 'json' ? checkJson(signal, body) : checkProtobuf(signal, body)
    if (records === 0) {
      hold.release()
      return { signal, outcome: { accepted: 0, rejected: 0, together: 1 } }
    }
    const framing = encoding === 'json' ? 'lines' : 'protobuf'
    const submission = { source, framing, origin, receiver: RECEIVER, bytes, records, hold } as const
    // From here on the gatherer gives it back.
    hold = undefined
    const outcome = await context.gatherer.submit(submission)
    if (outcome.malformed || (outcome.accepted === 0 && encoding === 'json' && records === undefined))
      throw new Refusal(400, 3, 'the request cannot be decoded')
    return { signal, outcome }
  } catch (error) {
    hold?.release()
    if (error instanceof OverloadedError) context.observe.delayed(flow, 1)
    else if (error instanceof CinchError) context.observe.rejected(flow, 1)
    throw error
  }
}

function routeOf(request: IncomingMessage): { signal: OtlpSignal; source: Source } {
  const path = (request.url ?? '').split('?')[0]
  const signal = OTLP_SIGNALS.find(({ httpPath }) => httpPath === path)
  const source = signal && sourceOf(signal.source)
  if (!signal || !source) throw new Refusal(404, 12, 'there is nothing here; send to /v1/traces, /v1/logs, /v1/metrics')
  if (request.method !== 'POST') throw new Refusal(405, 12, 'telemetry is sent with POST', { allow: 'POST' })
  return { signal, source }
}

async function originOf(context: ReceiverContext, request: IncomingMessage, source: Source): Promise<Origin> {
  const socket = request.socket as Partial<TLSSocket> & IncomingMessage['socket']
  const certificate = socket.authorized ? socket.getPeerCertificate?.().raw : undefined
  const caller = {
    authorization: request.headers.authorization,
    certificate,
    address: socket.remoteAddress,
    isPage: request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined,
  }
  const origin = await context.authenticate(caller, source.id)
  if (typeof origin === 'string')
    context.observe.rejected({ source: source.id, sender: 'unknown', receiver: RECEIVER }, 1)
  if (origin === 'unknown')
    throw new Refusal(401, 16, 'this sender is not registered, or showed nothing', { 'www-authenticate': 'Bearer' })
  if (origin === 'forbidden') throw new Refusal(403, 7, `this sender may not send ${source.id}`)
  return origin
}

const mediaType = (request: IncomingMessage) =>
  (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''

function success(signal: OtlpSignal, outcome: Outcome, encoding: Encoding): Buffer {
  const message = rejectsMessage(outcome)
  if (encoding === 'protobuf') return exportResponse(outcome.rejected, message)
  const partialSuccess = { [signal.rejectedKey]: String(outcome.rejected), errorMessage: message }
  return Buffer.from(JSON.stringify(message === '' ? {} : { partialSuccess }))
}

/** What a sender is told about its rejects; `together` says where they are known of several requests only. */
export function rejectsMessage({ rejected, together }: Outcome): string {
  if (rejected === 0) return ''
  const whose = together > 1 ? ` in the ${together} requests of this sender that came together` : ''
  return `${rejected} records were rejected${whose}; 'cinch rejects' shows which and why`
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof OverloadedError) {
    const headers = { 'retry-after': String(Math.ceil(error.retryAfterMs / 1000)) }
    return error.bottleneck === 'quota'
      ? new Refusal(429, 8, error.message, headers)
      : new Refusal(503, 14, error.message, headers)
  }
  if (error instanceof CinchError)
    return error.code === 'too_large' ? new Refusal(413, 3, error.message) : new Refusal(400, 3, error.message)
  return new Refusal(500, 13, 'this failed inside; the log of the collector says why')
}

/** Reads away what is left of a body: a sender that still writes would not read the answer. */
async function readAway(request: IncomingMessage): Promise<boolean> {
  if (request.readableEnded || request.destroyed) return true
  const ended = new Promise<boolean>((resolve) => {
    request.once('close', () => resolve(true)).once('end', () => resolve(true))
    setTimeout(() => resolve(false), DRAIN_MS).unref()
  })
  request.removeAllListeners('readable')
  request.resume()
  return await ended
}
