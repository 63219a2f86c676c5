import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { CinchError, type ErrorCode } from '../model/errors.ts'
import { OverloadedError } from '../model/overloaded.ts'
import { packageRoot } from '../store/root.ts'
import { type RequestSpan, silent, type Telemetry } from '../telemetry/telemetry.ts'
import type { Cinch } from './cinch.ts'
import { countRequest, metricsText } from './metrics.ts'
import { checkRoutes } from './routes/checks.ts'
import { findingRoutes } from './routes/findings.ts'
import { ingestRoutes } from './routes/ingest.ts'
import { lifecycleRoutes } from './routes/lifecycle.ts'
import { liveRoutes } from './routes/live.ts'
import { policyRoutes } from './routes/policies.ts'
import { readRoutes } from './routes/read.ts'
import { remoteWriteRoutes } from './routes/remote-write.ts'
import { riskRoutes } from './routes/risk.ts'
import { templateRoutes } from './routes/templates.ts'
import { bearer, sameToken } from './token.ts'

export interface ServerOptions {
  cinch: Cinch
  /** True when the store answers. */
  ready: () => Promise<boolean>
  adminToken: string
  /** What this process serves: the API with the page, and what senders write to. */
  roles: { api: boolean; collector: boolean }
  log?: boolean
  /** Figures of this process, and its traces where they are exported. */
  telemetry?: Telemetry
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  unauthorized: 401,
  not_found: 404,
  step_refused: 409,
  unknown_source: 404,
  too_large: 413,
  overloaded: 503,
  store_busy: 503,
  store_unavailable: 503,
}

/** Of a part of a path: ids of users and workloads are longer than the router's hundred characters. */
const PARAMETER_LENGTH_MAX = 2_048

/** What the API serves. */
const API_ROUTES = [
  readRoutes,
  checkRoutes,
  findingRoutes,
  liveRoutes,
  templateRoutes,
  policyRoutes,
  lifecycleRoutes,
  riskRoutes,
]

/** Routes that ask for no admin token: probes, the page, and what senders write to, which asks for theirs. */
const OPEN_ROUTES = new Set(['/healthz', '/readyz', '/ingest/:source', '/api/v1/write'])
const PAGE_ROUTE = '/*'

/**
 * Goes by the route that was matched, never by the text of the URL: the router decodes `/%61pi`, a prefix would not. What
 * is not listed is guarded. The text decides only for files and for what does not exist, where nothing is to be had.
 */
function isOpen(request: FastifyRequest): boolean {
  const route = request.routeOptions.url
  if (route === undefined || route === PAGE_ROUTE) return !request.url.startsWith('/api/')
  return OPEN_ROUTES.has(route)
}

/** Pages load only what this server sends; nothing is framed, sniffed or told to other origins. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

/** Builds the server: the API, the page, and what probes and Prometheus ask for. Listens nowhere yet. */
export async function createServer({
  cinch,
  ready,
  adminToken,
  roles,
  log = false,
  telemetry = silent(),
}: ServerOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: log ? { level: 'warn' } : false,
    bodyLimit: 1 << 20,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    forceCloseConnections: true,
    ajv: { customOptions: { removeAdditional: false } },
  })
  const isAdmin = (token: string) => token !== '' && sameToken(token, adminToken)
  await app.register(swagger, {
    openapi: {
      info: { title: 'Cinch', description: 'Requests made, and the policies that allow just those', version: '1' },
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer', description: "The admin token, or a sender's" } },
      },
      security: [{ token: [] }],
    },
  })
  observeRequests(app, telemetry)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS)
    if (isOpen(request)) return
    reply.header('cache-control', 'no-store')
    if (!isAdmin(bearer(request.headers.authorization))) {
      throw new CinchError(
        'unauthorized',
        'the admin token is missing or wrong',
        "send 'Authorization: Bearer <token>'; the token is in the file admin-token of the data directory",
      )
    }
  })
  app.setErrorHandler((error, request, reply) => answerError(app, error, request.url, reply))
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(errorBody('not_found', 'there is nothing here', notFoundNext(roles))),
  )

  app.get('/healthz', { schema: { summary: 'The process lives', security: [] } }, async () => ({ status: 'ok' }))
  app.get('/readyz', { schema: { summary: 'The store answers', security: [] } }, async (_request, reply) => {
    const yes = await ready()
    return await reply.code(yes ? 200 : 503).send({ status: yes ? 'ready' : 'the store does not answer' })
  })
  app.get(
    '/metrics',
    { schema: { summary: 'Figures of this process, in Prometheus text format' } },
    async (_request, reply) =>
      await reply.type('text/plain; version=0.0.4').send(metricsText(telemetry.registry, await cinch.sources())),
  )
  app.get('/api/v1/openapi.json', { schema: { summary: 'This document' } }, async () => app.swagger())
  if (roles.collector) ingestRoutes(app, cinch, isAdmin)
  if (roles.collector) remoteWriteRoutes(app, cinch, isAdmin)
  if (!roles.api) return app
  for (const routes of API_ROUTES) routes(app, cinch)
  const page = join(packageRoot(), 'web/dist')
  if (existsSync(page)) await app.register(fastifyStatic, { root: page })
  return app
}

/** Times and traces every request by the route that it matched; everything that happens for it is within its span. */
function observeRequests(app: FastifyInstance, telemetry: Telemetry): void {
  const spans = new WeakMap<FastifyRequest, RequestSpan>()
  app.addHook('onRequest', (request, _reply, done) => {
    const span = telemetry.request(request.method, () => done())
    spans.set(request, span)
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    countRequest(telemetry.registry, request.method, route, reply.statusCode, reply.elapsedTime)
    spans.get(request)?.end(route, reply.statusCode)
  })
}

function notFoundNext(roles: ServerOptions['roles']): string {
  const lacking = (['api', 'collector'] as const).filter((role) => !roles[role])
  const note = lacking.length > 0 ? `; this process does not serve the role ${lacking.join(' or ')}` : ''
  return `see /api/v1/openapi.json${note}`
}

const errorBody = (code: string, message: string, next: string) => ({ error: { code, message, next } })

function answerError(
  app: FastifyInstance,
  error: unknown,
  url: string,
  reply: Pick<FastifyReply, 'code' | 'header'>,
): unknown {
  if (error instanceof OverloadedError) {
    reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)))
    const status = error.bottleneck === 'quota' ? 429 : 503
    return reply.code(status).send(errorBody(error.code, error.message, error.next))
  }
  if (error instanceof CinchError)
    return reply.code(STATUS[error.code] ?? 400).send(errorBody(error.code, error.message, error.next))
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status < 500) {
    const message = error instanceof Error ? error.message : 'the request is not understood'
    return reply
      .code(status)
      .send(
        errorBody(status === 413 ? 'too_large' : 'bad_option', message, 'see /api/v1/openapi.json for what this takes'),
      )
  }
  // What failed inside is for the log, not for the caller: it may hold data.
  app.log.error({ err: error, path: url.split('?')[0] })
  return reply
    .code(500)
    .send(
      errorBody(
        'internal',
        'this failed inside; the log of the server says why',
        'try again, and report it when it stays',
      ),
    )
}
