import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

/** The header by which the driver knows that the application answered, not a proxy. */
export const SERVICE_HEADER = 'x-lab-service'

/**
 * The application behind the callee's sidecar: echoes method and path as it received them, with 200.
 * `/status/<code>` answers that code (200 to 599), paths under `/missing/` answer 404.
 * @param ports the workload ports; it listens on each at `address`
 * @returns stops all of them
 */
export async function startService(name: string, address: string, ports: number[]): Promise<() => Promise<void>> {
  const servers: Server[] = []
  for (const port of ports) {
    const server = createServer((request, response) => answer(name, request, response))
    // Envoy keeps its upstream connections for long; closing first would turn its next request into a 503.
    server.keepAliveTimeout = 120_000
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, address, resolve)
    })
    servers.push(server)
  }
  return async () => {
    await Promise.all(servers.map(close))
  }
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  const path = request.url ?? ''
  response.statusCode = statusFor(path)
  response.setHeader(SERVICE_HEADER, name)
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ service: name, method: request.method, path, headers: request.headers }))
}

function statusFor(path: string): number {
  const asked = /^\/status\/([2-5]\d\d)\b/.exec(path)?.[1]
  if (asked) return Number(asked)
  return path.startsWith('/missing/') ? 404 : 200
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
