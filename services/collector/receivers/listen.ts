import type { AddressInfo } from 'node:net'
import { type Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js'
import { CinchError } from '../../model/errors.ts'
import type { Gatherer } from '../gather/gather.ts'
import type { Observer } from '../observe.ts'
import type { Senders } from '../senders.ts'
import { createAuthenticate } from './authenticate.ts'
import { createGrpc } from './grpc.ts'
import { createOtlpHttp, type ReceiverContext } from './http.ts'
import { readTls, type TlsFiles } from './tls.ts'

/** The ports that the OpenTelemetry protocol names. */
export const OTLP_HTTP_PORT = 4318
export const OTLP_GRPC_PORT = 4317

/** Calls that are under way may finish within this time when a receiver ends. */
const FINISH_WITHIN_MS = 5000

export interface ReceiverOptions {
  host: string
  /** Undefined: that receiver is off. 0: any free port. */
  httpPort: number | undefined
  grpcPort: number | undefined
  tls?: TlsFiles | undefined
  /** Whoever shows nothing and comes from this machine is the operator. */
  isLoopbackOpen?: boolean
}

/** Receivers that listen. */
export interface Receivers {
  /** Where: `http://127.0.0.1:4318` and `127.0.0.1:4317`; undefined for what is off. */
  http: string | undefined
  grpc: string | undefined
  close(): Promise<void>
}

/** What receivers need of the rest. */
export interface ReceiverNeeds {
  gatherer: Gatherer
  senders: Pick<Senders, 'authorize'>
  observe: Observer
  onFault: (error: unknown) => void
}

/**
 * Starts the receivers for OTLP and for Envoy's access log service.
 * @throws CinchError `bad_option` when a port is taken, or a file of TLS cannot be read
 */
export async function startReceivers(needs: ReceiverNeeds, options: ReceiverOptions): Promise<Receivers> {
  const { gatherer, observe, onFault } = needs
  const authenticate = createAuthenticate(needs.senders, options.isLoopbackOpen)
  const context: ReceiverContext = { gatherer, authenticate, observe, onFault }
  const tls = options.tls && readTls(options.tls)
  const http = options.httpPort === undefined ? undefined : createOtlpHttp(context, tls)
  const grpc = options.grpcPort === undefined ? undefined : createGrpc(context)
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  const close = async () => {
    await Promise.all([
      http && new Promise<void>((resolve) => (http.listening ? http.close(() => resolve()) : resolve())),
      grpc && finish(grpc),
      // Kept-alive connections would hold the server until they are silent for long enough.
      http && new Promise<void>((resolve) => setTimeout(resolve, 0)).then(() => http.closeIdleConnections()),
    ])
  }
  try {
    let httpUrl: string | undefined
    if (http) {
      await new Promise<void>((resolve, reject) => {
        http.once('error', reject).listen(options.httpPort, options.host, resolve)
      }).catch((cause: unknown) => {
        throw taken(`${host}:${options.httpPort}`, '--otlp-http-port', cause)
      })
      http.on('error', onFault)
      httpUrl = `${tls ? 'https' : 'http'}://${host}:${(http.address() as AddressInfo).port}`
    }
    const credentials = tls?.credentials ?? ServerCredentials.createInsecure()
    const grpcPort = grpc && (await bind(grpc, `${host}:${options.grpcPort}`, credentials))
    return { http: httpUrl, grpc: grpcPort === undefined ? undefined : `${host}:${grpcPort}`, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function bind(server: GrpcServer, address: string, credentials: ServerCredentials): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, port) => {
      if (cause) reject(taken(address, '--otlp-grpc-port', cause))
      else resolve(port)
    })
  })
}

function taken(address: string, option: string, cause: unknown): CinchError {
  const why = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : String(cause)
  return new CinchError('bad_option', `cannot listen on ${address}: ${why}`, `give another ${option}, or off`, {
    cause,
  })
}

async function finish(server: GrpcServer): Promise<void> {
  const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
  const timer = setTimeout(() => server.forceShutdown(), FINISH_WITHIN_MS)
  await ended
  clearTimeout(timer)
}
