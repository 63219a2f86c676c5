import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Client } from '@grpc/grpc-js'
import type { WorkloadCertificate } from '../certificates.ts'
import { SERVICE_HEADER } from '../service.ts'
import type { Addresses } from './addresses.ts'
import { templateOf } from './applications.ts'
import { type Connections, redirect, startRedirector } from './connect.ts'
import { OUTBOUND_PORT } from './outbound.ts'
import { callStock, type StockMethod, stockClient, stockPath } from './stock.ts'
import type { Context, Sent, Truth } from './truth.ts'
import { BANK, EGRESS, INGRESS, PUBLIC_HOST, serverName, serviceOf, workloadOf } from './world.ts'

/** How a request leaves its caller. */
export type Door =
  | { kind: 'browser'; place: number }
  | { kind: 'sidecar'; from: string }
  /** Speaks mutual TLS itself, to the callee's sidecar. */
  | { kind: 'mutual'; from: string }
  /** Plain text to the callee's sidecar (`to: 'sidecar'`), or past it to its application. */
  | { kind: 'plain'; from: string; to: 'sidecar' | 'application' }

export interface Call {
  door: Door
  /** Workload that is meant; for browsers the one behind the gateway that answers. */
  callee: string
  method: string
  path: string
  headers?: Record<string, string>
  body?: string
  context: Context
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  answered: boolean
}

/** Everybody's way to call: each call is recorded as it was sent and as it was answered. */
export interface Caller {
  http(call: Call): Promise<Answer>
  grpc(from: string, method: StockMethod, context: Context, headers?: Record<string, string>): Promise<number>
  /** Asks the cache for a key over TCP; undefined where it closed without a word. */
  tcp(from: string, key: string, context: Context): Promise<string | undefined>
  close(): void
}

export interface CallerOptions {
  addresses: Addresses
  connections: Connections
  truth: Truth
  publicAuthority: string
  certificates: ReadonlyMap<string, WorkloadCertificate>
}

const ANSWER_DEADLINE_MS = 10_000

/** Names the call for the callee's record. */
export const labHeader = (context: Context, call: string, caller: string, via: string[]) =>
  JSON.stringify({ ...context, call, caller, via })

export function createCaller(options: CallerOptions): Caller {
  let calls = 0
  const next = () => `c${++calls}`
  const grpc = grpcCaller(options, next)
  return {
    http: (call) => httpCall(options, next(), call),
    grpc: grpc.call,
    tcp: (from, key, context) => tcpCall(options, next(), from, key, context),
    close: grpc.close,
  }
}

const viaOf = ({ door, callee }: Call) =>
  door.kind === 'browser' ? [INGRESS] : door.kind === 'sidecar' && callee === BANK ? [EGRESS] : []

async function httpCall(options: CallerOptions, id: string, call: Call): Promise<Answer> {
  const { door, callee, method, path, context } = call
  const caller = door.kind === 'browser' ? `client:${options.addresses.client(door.place)}` : door.from
  const via = viaOf(call)
  const time = new Date().toISOString()
  const answer = await transport(options, id, call, caller, via)
  const template = templateOf(door.kind === 'browser' ? INGRESS : callee, method, path)
  const about = { call: id, time, caller, via, callee, protocol: 'http' as const, method, path, template }
  const { status, answered } = answer
  options.truth.sent({ ...context, ...about, status, answered, refused_by: refusal(answer, call) })
  return answer
}

/** Only a proxy's own answer is a refusal; in the mesh a gateway checks tokens and routes, a sidecar its policy. */
function refusal({ status, answered }: Answer, { door }: Call): Sent['refused_by'] {
  if (answered) return ''
  if (status === 403) return 'callee'
  if (status === 401 || status === 404) return door.kind === 'browser' ? 'gateway' : 'callee'
  return status === 0 && door.kind === 'plain' && door.to === 'sidecar' ? 'listener' : ''
}

function transport(options: CallerOptions, id: string, call: Call, caller: string, via: string[]): Promise<Answer> {
  const { door, callee, method, path, headers, body, context } = call
  const host = door.kind === 'browser' ? PUBLIC_HOST : serviceFor(callee).host
  const { agent, address, port } = wayOf(options, door, callee)
  const all = {
    host,
    'user-agent': `lab/${context.situation}`,
    ...headers,
    'x-lab': labHeader(context, id, caller, via),
  }
  const request = door.kind === 'browser' || door.kind === 'mutual' ? tlsRequest : httpRequest
  return new Promise((resolve) => {
    const failed = () => resolve({ status: 0, headers: {}, body: '', answered: false })
    const outgoing = request(
      { agent, host: address, port, method, path, headers: all, timeout: ANSWER_DEADLINE_MS },
      (incoming) => {
        const parts: Buffer[] = []
        incoming.on('data', (part: Buffer) => parts.push(part))
        incoming.on('error', failed)
        incoming.on('end', () => {
          const answered = incoming.headers[SERVICE_HEADER] !== undefined
          const status = incoming.statusCode ?? 0
          resolve({ status, headers: incoming.headers, body: Buffer.concat(parts).toString(), answered })
        })
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')))
    outgoing.on('error', failed)
    outgoing.end(body)
  })
}

/** The service that a workload answers for; a canary's version is reached by its own Pod. */
function serviceFor(callee: string) {
  const { name, namespace, role, labels } = workloadOf(callee)
  if (role === 'outside') return serviceOf(callee)
  return serviceOf(`${labels['app'] ?? name}.${namespace}.svc.cluster.local`)
}

function wayOf(
  { addresses, connections, publicAuthority, certificates }: CallerOptions,
  door: Door,
  callee: string,
): { agent: Agent; address: string; port: number } {
  if (door.kind === 'browser') {
    const agent = connections.browser(addresses.client(door.place), publicAuthority, PUBLIC_HOST)
    return { agent, address: addresses.pod(INGRESS), port: 8443 }
  }
  const service = serviceFor(callee)
  const from = addresses.pod(door.from)
  const [port] = workloadOf(callee).ports
  const target = { address: addresses.pod(callee), port: port?.port ?? 0 }
  if (door.kind === 'sidecar') {
    const outside = workloadOf(callee).role === 'outside'
    const address = outside ? addresses.pod(callee) : addresses.service(service.host)
    const agent = connections.redirected(from, OUTBOUND_PORT, { address, port: service.servicePort })
    return { agent, address, port: service.servicePort }
  }
  if (door.kind === 'plain') {
    const address = door.to === 'application' ? addresses.application(callee) : target.address
    return { agent: connections.plain(from), address, port: target.port }
  }
  const certificate = certificates.get(door.from)
  if (!certificate) throw new Error(`${door.from} has no certificate`)
  return { agent: connections.mutual(from, certificate, serverName(service)), ...target }
}

function grpcCaller({ addresses, truth }: CallerOptions, next: () => string) {
  const clients = new Map<string, Promise<{ client: Client; redirector: Server }>>()
  const { host, servicePort } = serviceOf('stock.shop.svc.cluster.local')
  const open = async (from: string) => {
    const wanted = { address: addresses.service(host), port: servicePort }
    const redirector = await startRedirector(addresses.pod(from), OUTBOUND_PORT, wanted)
    const { port } = redirector.address() as AddressInfo
    return { client: stockClient(`127.0.0.1:${port}`, `${host}:${servicePort}`), redirector }
  }
  const call = async (from: string, method: StockMethod, context: Context, headers: Record<string, string> = {}) => {
    const opened = clients.get(from) ?? open(from)
    clients.set(from, opened)
    const { client } = await opened
    const [id, time, path] = [next(), new Date().toISOString(), stockPath(method)]
    const code = await callStock(client, method, { ...headers, 'x-lab': labHeader(context, id, from, []) })
    const refused = code === 7
    const what = { protocol: 'grpc' as const, method: 'POST', path, template: path, status: refused ? 403 : 200 }
    const about = { call: id, time, caller: from, via: [], callee: 'shop/stock', answered: !refused }
    truth.sent({ ...context, ...about, ...what, refused_by: refused ? 'callee' : '' })
    return code
  }
  const close = () => {
    for (const opened of clients.values())
      void opened.then(({ client, redirector }) => {
        client.close()
        redirector.close()
      })
  }
  return { call, close }
}

async function tcpCall(
  { addresses, truth }: CallerOptions,
  id: string,
  from: string,
  key: string,
  context: Context,
): Promise<string | undefined> {
  const { host, servicePort } = serviceOf('cache.shop.svc.cluster.local')
  const wanted = { address: addresses.service(host), port: servicePort }
  const time = new Date().toISOString()
  const socket = await redirect(addresses.pod(from), OUTBOUND_PORT, wanted)
  const value = await ask(socket, `${labHeader(context, id, from, [])}\t${key}\n`)
  const what = { protocol: 'tcp' as const, method: '', path: '', template: '', status: 0 }
  const about = { call: id, time, caller: from, via: [], callee: 'shop/cache', answered: value !== undefined }
  truth.sent({ ...context, ...about, ...what, refused_by: value === undefined ? 'callee' : '' })
  return value
}

function ask(socket: Socket, question: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = ''
    socket.setEncoding('utf8')
    // Not before the answer: what half a close becomes on the way through TLS is up to each proxy.
    socket.on('data', (part: string) => {
      text += part
      socket.end()
    })
    // A refusal is a connection that closes, with or without a reset.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve(text === '' ? undefined : text))
    socket.write(question)
  })
}
