import { Agent, type OutgoingHttpHeaders, request } from 'node:http'
import { SERVICE_HEADER } from './service.ts'

/** A request of one caller. `path` goes on the wire as it is, with its query, its double slashes and its escapes. */
export interface LabRequest {
  /** Principal without `spiffe://`, one of the lab's callers. */
  caller: string
  method: string
  path: string
  /** Which port of the Service; the first one when it is left out. */
  servicePort?: number
  headers?: OutgoingHttpHeaders
}

/**
 * What became of a request. `decidedBy` is `service` when the application answered (allowed, whatever its status), `rbac`
 * when the callee's Envoy denied, `proxy` when an Envoy refused it before any decision (400 for a malformed path).
 */
export interface Outcome {
  status: number
  allowed: boolean
  decidedBy: 'service' | 'rbac' | 'proxy'
}

export interface LabResponse extends Outcome {
  headers: NodeJS.Dict<string | string[]>
  body: string
}

/** Where a caller's outbound listener is, and the address of the caller's Pod that requests come from. */
export interface Route {
  port: number
  podAddress: string
  authority: string
}

/** Connections that stay open; one agent for a lab, closed with it. */
export function keepAliveAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 8 })
}

/**
 * Sends one request through a caller's sidecar.
 * @throws Error when the connection fails, or Node cannot write the request as it is: a lower-case method, CONNECT, a path
 * with a space, a control or a non-Latin-1 character
 */
export async function send(agent: Agent, route: Route, { method, path, headers }: LabRequest): Promise<LabResponse> {
  if (method !== method.toUpperCase() || method === 'CONNECT') {
    throw new Error(
      `the driver cannot send the method ${method}: Node writes methods in upper case, and tunnels CONNECT`,
    )
  }
  return new Promise((resolve, reject) => {
    const options = {
      agent,
      host: '127.0.0.1',
      port: route.port,
      localAddress: route.podAddress,
      method,
      path,
      timeout: 10_000,
      headers: { host: route.authority, 'user-agent': 'cinch-lab/1', ...headers },
    }
    const outgoing = request(options, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 0
        const body = Buffer.concat(chunks).toString()
        resolve({ ...outcome(status, incoming.headers), headers: incoming.headers, body })
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in 10 s to ${method} ${path}`)))
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** The application may answer 403 as well, so its header decides, not the status. In the lab only RBAC makes a proxy say 403. */
function outcome(status: number, headers: NodeJS.Dict<string | string[]>): Outcome {
  if (headers[SERVICE_HEADER] !== undefined) return { status, allowed: true, decidedBy: 'service' }
  return { status, allowed: false, decidedBy: status === 403 ? 'rbac' : 'proxy' }
}

/** What `drive` needs of a lab. */
export interface Requester {
  request(request: LabRequest): Promise<LabResponse>
}

/**
 * Sends all `requests`, `concurrency` at a time, and gives their outcomes in the same order.
 * @throws the first error of `send`, naming the request
 */
export async function drive(lab: Requester, requests: readonly LabRequest[], concurrency = 16): Promise<Outcome[]> {
  const outcomes: Outcome[] = new Array(requests.length)
  let next = 0
  async function worker(): Promise<void> {
    for (let index = next++; index < requests.length; index = next++) {
      const item = requests[index]
      if (!item) return
      try {
        const { status, allowed, decidedBy } = await lab.request(item)
        outcomes[index] = { status, allowed, decidedBy }
      } catch (error) {
        throw new Error(`request ${index}: ${item.method} ${item.path} of ${item.caller} failed`, { cause: error })
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, requests.length) }, worker))
  return outcomes
}
