import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'

/** How long the slow answer and the WebSocket stay open: long enough for two periodic entries. */
const LONG_MS = 1_000

/** Ports of the application: the workload ports. */
export interface Ports {
  http: number
  admin: number
  grpc: number
  tcp: number
}

/**
 * The application behind the callee's sidecar. `/missing/…` answers 404, `/retried/…` 503 at first, `/slow` takes a second, WebSockets are open for a
 * second, TCP echoes, and gRPC has one method that answers and one that refuses.
 * @returns stops it
 */
export async function startApplication(host: string, ports: Ports): Promise<() => Promise<void>> {
  const servers = await Promise.all([
    listening(webServer(), host, ports.http),
    listening(webServer(), host, ports.admin),
    listening(
      createTcpServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket)),
      host,
      ports.tcp,
    ),
  ])
  const grpc = await grpcServer(host, ports.grpc)
  return async () => {
    grpc.forceShutdown()
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            if ('closeAllConnections' in server) (server as ReturnType<typeof createServer>).closeAllConnections()
          }),
      ),
    )
  }
}

function webServer() {
  const seen = new Set<string>()
  const server = createServer((request, response) => answer(seen, request, response))
  server.keepAliveTimeout = 120_000
  server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n')
    socket.on('error', () => socket.destroy())
    setTimeout(() => socket.end(Buffer.from([0x81, 0x02, 0x68, 0x69])), LONG_MS)
  })
  return server
}

function answer(seen: Set<string>, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? ''
  const body = `${request.method} was served\n`
  request.resume()
  const first = path.startsWith('/retried/') && !seen.has(path)
  seen.add(path)
  response.statusCode = first ? 503 : path.startsWith('/missing/') ? 404 : 200
  if (!path.startsWith('/slow')) {
    response.end(body)
    return
  }
  response.write(body)
  setTimeout(() => response.end(), LONG_MS)
}

async function grpcServer(host: string, port: number): Promise<Server> {
  const raw = (bytes: Buffer) => bytes
  const unary = (path: string) => ({
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  })
  const server = new Server()
  server.addService(
    { get: unary('/shop.Orders/Get'), fail: unary('/shop.Orders/Fail') },
    {
      get: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => done(null, call.request),
      fail: (_: unknown, done: (error: object) => void) =>
        done({ code: status.UNAUTHENTICATED, details: 'who are you', metadata: new Metadata() }),
    },
  )
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
  return server
}

function listening<S extends TcpServer>(server: S, host: string, port: number): Promise<S> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve(server))
  })
}
