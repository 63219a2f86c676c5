import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { OPERATIONS, policies, REPLAY, SOURCES, type Source } from './fixture-answers.ts'
import { grouped, platform } from './fixture-graph.ts'

export const FIXTURE_TOKEN = 'fixture-token'
const DIST = join(import.meta.dirname, '../../web/dist')
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
/** Stricter than the product's: what passes here passes there. */
const POLICY = "default-src 'self'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

export interface Fixture {
  url: string
  token: string
  /** Errors to answer with instead, by path: `{status, error}`. */
  failures: Map<string, { status: number; error: { code: string; message: string; next: string } }>
  /** What `GET /api/v1/sources` answers. */
  sources: Source[]
  /** Bodies of the policy and replay requests, in order. */
  received: unknown[]
  close: () => Promise<void>
}

/** Serves the built page and canned answers about a made-up platform of `size` workloads; 0 is an empty store. */
export async function startFixture(size: number): Promise<Fixture> {
  const fixture: Omit<Fixture, 'url' | 'close'> = {
    token: FIXTURE_TOKEN,
    failures: new Map(),
    sources: size === 0 ? [] : [...SOURCES],
    received: [],
  }
  const answer = createAnswer(size, fixture)
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const reply = url.pathname.startsWith('/api/') ? answer(url, request, response) : asset(url.pathname, response)
    reply.catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { ...fixture, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

async function asset(pathname: string, response: ServerResponse): Promise<void> {
  const file = normalize(pathname === '/' ? '/index.html' : pathname)
  const body = await readFile(join(DIST, file)).catch(() => undefined)
  if (body === undefined) return void response.writeHead(404).end()
  const type = TYPES[extname(file)] ?? 'application/octet-stream'
  response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY }).end(body)
}

function createAnswer(
  size: number,
  { failures, sources, received }: Pick<Fixture, 'failures' | 'sources' | 'received'>,
) {
  const made = size === 0 ? { nodes: [], edges: [] } : platform(size)
  const routes: Record<string, (url: URL, body: unknown) => unknown> = {
    '/api/v1/graph': ({ searchParams: query }) =>
      grouped(made, Number(query.get('limit')), (query.get('expand') ?? '').split(',').filter(Boolean)),
    '/api/v1/operations': () => ({ operations: OPERATIONS }),
    '/api/v1/sources': () => ({ sources }),
    '/api/v1/policies': (_, body) => policies(body as { principal?: string }),
    '/api/v1/policies/replay': () => REPLAY,
  }
  return async (url: URL, request: IncomingMessage, response: ServerResponse) => {
    const send = (status: number, value: unknown) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (request.headers.authorization !== `Bearer ${FIXTURE_TOKEN}`) {
      const next = 'Use the token in the file admin-token.'
      return send(401, { error: { code: 'CINCH_API_TOKEN', message: 'The token is not right.', next } })
    }
    const failure = failures.get(url.pathname)
    if (failure !== undefined) return send(failure.status, { error: failure.error })
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body: unknown = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString())
    if (body !== undefined) received.push(body)
    send(200, routes[url.pathname]?.(url, body) ?? {})
  }
}
