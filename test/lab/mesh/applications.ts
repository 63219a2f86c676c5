import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { SERVICE_HEADER } from '../service.ts'
import type { Addresses } from './addresses.ts'
import type { Answer, Caller } from './client.ts'
import type { Issuer, User } from './jwt.ts'
import { type StockMethod, startStock } from './stock.ts'
import type { Context, Received, Truth } from './truth.ts'
import { BANK, INGRESS, PARTNER, WORKLOADS, type Workload } from './world.ts'

/** Orders that exist have numbers below this; the others are answered 404. */
export const ORDERS_MAX = 500
/** An order whose number ends so is refused by the fraud check with 500. */
export const FRAUD_FAILS_ON = 7
/** How long `orders` takes for `/orders/slow/…`: longer than the gateway waits. */
const SLOW_MS = 1_000

const ATTEMPTS_KEPT_MAX = 50_000

/** What an application does with a request. */
export interface Job {
  path: string
  body: string
  context: Context
  /** Which time this same call arrives, from 1: more than once when a proxy repeats it. */
  attempt: number
  headers: IncomingMessage['headers']
  call(callee: string, method: string, path: string, headers?: Record<string, string>): Promise<Answer>
  stock(method: StockMethod): Promise<number>
  cache(key: string): Promise<string | undefined>
}

type Handler = (job: Job) => Promise<number | [status: number, body: object]> | number | [status: number, body: object]

/** The directory: names, passwords and how people log in. */
export interface Account extends User {
  password: string
}

const failing = ({ status }: Answer) => status === 0 || status >= 500
const number = (path: string) => Number(/\d+/.exec(path)?.[0] ?? 0)
const bearer = ({ headers }: Job): Record<string, string> =>
  headers.authorization ? { authorization: headers.authorization } : {}

/** Every operation of every application, by the template of its path. */
const OPERATIONS: Record<string, Record<string, Handler>> = {
  'shop/frontend': {
    'GET /products': async (job) =>
      (await job.call('shop/catalog-v1', 'GET', '/items?sort=name')).status === 200 ? 200 : 502,
    'GET /products/{id}': async (job) => {
      await job.stock('Check')
      return (await job.call('shop/catalog-v1', 'GET', `/items/${number(job.path)}`)).status
    },
    'GET /account': async (job) => (await job.call('shop/orders', 'GET', '/orders', bearer(job))).status,
    'GET /watch/{id}': async (job) => ((await job.stock('Watch')) === 0 ? 200 : 502),
    'GET /specials/{id}': async (job) =>
      (await job.call('shop/catalog-v1', 'GET', `/unstable/${number(job.path)}`)).status,
  },
  catalog: {
    'GET /items': async (job) => ((await job.cache('items')) === undefined ? 502 : 200),
    'GET /items/export': () => 200,
    'GET /items/{id}': () => 200,
    'GET /unstable/{id}': ({ attempt }) => (attempt === 1 ? 503 : 200),
  },
  'shop/orders': {
    'GET /orders': () => 200,
    'POST /orders': async (job) => {
      await job.stock('Reserve')
      await job.call('legacy/printer', 'POST', '/jobs')
      return 201
    },
    'GET /orders/export': () => 200,
    'GET /orders/slow/{id}': async () => {
      await sleep(SLOW_MS)
      return 200
    },
    'GET /orders/{id}': ({ path }) => (number(path) < ORDERS_MAX ? 200 : 404),
    'POST /orders/{id}/pay': async (job) =>
      failing(await job.call('pay/payments', 'POST', '/payments', { 'x-order': String(number(job.path)) })) ? 502 : 200,
  },
  'pay/payments': {
    'POST /payments': async (job) => {
      const order = String(job.headers['x-order'] ?? '0')
      if (failing(await job.call('risk/fraud', 'POST', '/scores', { 'x-order': order }))) return 502
      return failing(await job.call(BANK, 'POST', '/v1/charges')) ? 502 : 201
    },
  },
  'risk/fraud': {
    'POST /scores': ({ headers }) => (Number(headers['x-order'] ?? 0) % 10 === FRAUD_FAILS_ON ? 500 : 200),
    'GET /summary': () => 200,
  },
  'legacy/printer': { 'POST /jobs': () => 202 },
  [BANK]: { 'POST /v1/charges': () => 201 },
  [PARTNER]: { 'GET /feeds/{date}': () => 200 },
  // What users see, before the gateway rewrites it.
  [INGRESS]: Object.fromEntries(
    [
      'POST /login',
      'GET /products',
      'GET /products/{id}',
      'GET /account',
      'GET /watch/{id}',
      'GET /specials/{id}',
      'POST /api/orders',
      'GET /api/orders',
      'GET /api/orders/slow/{id}',
      'GET /api/orders/{id}',
      'POST /api/orders/{id}/pay',
      'OPTIONS /api/orders',
    ].map((operation) => [operation, () => 200]),
  ),
}

const operationsOf = (workload: string) => OPERATIONS[workload.startsWith('shop/catalog') ? 'catalog' : workload] ?? {}

function find(workload: string, method: string, path: string): [template: string, handler: Handler] | undefined {
  const [plain = ''] = path.split('?')
  for (const [operation, handler] of Object.entries(operationsOf(workload))) {
    const [verb, template = ''] = operation.split(' ')
    const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`)
    if (verb === method && pattern.test(plain)) return [template, handler]
  }
  return undefined
}

/** The template of a path that `workload` knows, else the path itself without its query. */
export function templateOf(workload: string, method: string, path: string): string {
  const known = workload === 'auth/issuer' ? undefined : find(workload, method, path)
  return known?.[0] ?? path.split('?')[0] ?? ''
}

export interface ApplicationOptions {
  addresses: Addresses
  truth: Truth
  caller: Caller
  issuer: Issuer
  accounts: readonly Account[]
}

/** Starts what is behind every sidecar, the legacy system and the world outside. @returns stops them */
export async function startApplications(options: ApplicationOptions): Promise<() => Promise<void>> {
  const stops: (() => void)[] = []
  const attempts = new Map<string, number>()
  for (const workload of WORKLOADS) {
    if (workload.role !== 'sidecar' && workload.role !== 'none' && workload.role !== 'outside') continue
    for (const { port, protocol } of workload.ports) {
      const start = { http: startHttp, tcp: startCache, grpc: startStockOf }[protocol]
      stops.push(await start(options, workload, port, attempts))
    }
  }
  return async () => {
    for (const stop of stops) stop()
  }
}

type Start = (o: ApplicationOptions, w: Workload, port: number, attempts: Map<string, number>) => Promise<() => void>

type LabHeader = Context & { call: string; caller: string; via: string[] }

function contextOf(header: unknown): LabHeader {
  if (typeof header !== 'string') throw new Error('a call in the mesh carries x-lab')
  return JSON.parse(header) as LabHeader
}

const startHttp: Start = async (options, workload, port, attempts) => {
  const address = options.addresses.application(workload.id)
  const server = createHttpServer((request, response) => {
    void serve(options, workload, port, attempts, request, response).catch((error: Error) => response.destroy(error))
  })
  // Envoy keeps its upstream connections for long; closing first would turn its next request into a 503.
  server.keepAliveTimeout = 120_000
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, address, resolve))
  return () => {
    server.close()
    server.closeAllConnections()
  }
}

async function serve(
  options: ApplicationOptions,
  workload: Workload,
  port: number,
  attempts: Map<string, number>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const time = new Date().toISOString()
  // Only a sidecar comes from 127.0.0.6, and only to those that have one. Looked at now: a client may be gone at the end.
  const bypass = workload.role === 'sidecar' && request.socket.remoteAddress !== '127.0.0.6'
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => void parts.push(part))
  // Also when the caller is gone before it has sent all: what arrived is a request, and its proxy tells of it.
  await new Promise<void>((resolve) => request.once('close', resolve).once('end', resolve))
  const { call, caller, via, ...context } = contextOf(request.headers['x-lab'])
  const { method = '', url: path = '' } = request
  const attempt = (attempts.get(`${call} ${workload.id}`) ?? 0) + 1
  // Attempts of one call follow each other within a second; a mesh that runs for days forgets the older ones.
  if (attempts.size > ATTEMPTS_KEPT_MAX) attempts.clear()
  attempts.set(`${call} ${workload.id}`, attempt)
  const job = jobOf(options.caller, workload.id, request, Buffer.concat(parts).toString(), context, attempt)
  const found = find(workload.id, method, path)
  const handler = workload.id === 'auth/issuer' ? login(options) : (found?.[1] ?? (() => 404))
  const result = await handler(job)
  const [status, body] = typeof result === 'number' ? [result, { service: workload.name }] : result
  options.truth.received({
    ...context,
    ...{ call, time, caller, via, callee: workload.id, port, protocol: 'http', method, path, status },
    template: templateOf(workload.id, method, path),
    ...headersOf(request.headers),
    bypass,
  })
  response.writeHead(status, { [SERVICE_HEADER]: workload.name, 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

const one = (value: unknown) => (typeof value === 'string' ? value : '')
const headersOf = (headers: Record<string, unknown>): Pick<Received, 'request_id' | 'traceparent'> => ({
  request_id: one(headers['x-request-id']),
  traceparent: one(headers['traceparent']),
})

/** What an application passes on, so that one user's request is one trace. */
const PASSED_ON = ['x-request-id', 'traceparent', 'tracestate']

function jobOf(
  caller: Caller,
  from: string,
  request: IncomingMessage,
  body: string,
  context: Context,
  attempt: number,
): Job {
  const passed = PASSED_ON.map((name) => [name, one(request.headers[name])] as const).filter(
    ([, value]) => value !== '',
  )
  const passedOn = Object.fromEntries(passed)
  const door = { kind: 'sidecar' as const, from }
  return {
    ...{ path: request.url ?? '', body, context, attempt, headers: request.headers },
    call: async (callee, method, path, headers) =>
      await caller.http({ door, callee, method, path, context, headers: { ...passedOn, ...headers } }),
    stock: async (method) => await caller.grpc(from, method, context, passedOn),
    cache: async (key) => await caller.tcp(from, key, context),
  }
}

/** The issuer's only operation: a name and a password for a token. */
const login =
  ({ issuer, accounts }: ApplicationOptions): Handler =>
  async ({ body }) => {
    const { user, password } = JSON.parse(body || '{}') as { user?: string; password?: string }
    const account = accounts.find(({ name }) => name === user)
    if (!account || account.password !== password) return [401, { error: 'wrong name or password' }]
    return [200, { token: await issuer.sign(account, Math.floor(Date.now() / 1000)) }]
  }

const startCache: Start = async ({ addresses, truth }, workload, port) => {
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    let question = ''
    const bypass = socket.remoteAddress !== '127.0.0.6'
    socket.setEncoding('utf8')
    socket.on('error', () => socket.destroy())
    socket.on('data', (part: string) => {
      question += part
      if (!question.endsWith('\n')) return
      const { call, caller, via, ...context } = contextOf(question.split('\t')[0])
      const what = { protocol: 'tcp' as const, method: '', path: '', template: '', status: 0, ...headersOf({}), bypass }
      const about = { call, time: new Date().toISOString(), caller, via, callee: workload.id, port }
      truth.received({ ...context, ...about, ...what })
      socket.end('value\n')
    })
  })
  const address = addresses.application(workload.id)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, address, resolve))
  return () => void server.close()
}

const startStockOf: Start = async ({ addresses, truth }, workload, port) =>
  await startStock(addresses.application(workload.id), port, (path, headers) => {
    const { call, caller, via, ...context } = contextOf(headers['x-lab'])
    const what = { protocol: 'grpc' as const, method: 'POST', path, template: path, status: 200 }
    const about = { call, time: new Date().toISOString(), caller, via, callee: workload.id, port, bypass: false }
    truth.received({ ...context, ...about, ...what, ...headersOf(headers) })
  })
