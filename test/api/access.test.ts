import { existsSync, readFileSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readOrMakeToken } from '../../services/api/token.ts'
import { accessLine } from '../support/telemetry.ts'
import { openApi, routesOf, type TestApi } from './support.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('access')
  await api.send('istio-json', accessLine(), api.token)
})
afterAll(() => api.close())

const OPEN = ['GET /healthz', 'GET /readyz', 'GET *']
const filled = (path: string) => path.replace(':source', 'istio-json').replace(':id', 'x')

describe('the admin token', () => {
  test('is asked for on every route but probes and the page', async () => {
    const routes = routesOf(api.app)
    expect(routes.length).toBeGreaterThan(14)
    for (const route of routes) {
      const [method = '', path = ''] = route.split(' ')
      if (OPEN.includes(route)) continue
      for (const authorization of [undefined, 'Bearer wrong', 'Bearer ', `Basic ${api.token}`, api.token]) {
        const headers = authorization === undefined ? {} : { authorization }
        const answer = await api.app.inject({ method: method as 'GET', url: filled(path), headers })
        expect({ route, authorization, status: answer.statusCode }).toEqual({ route, authorization, status: 401 })
        expect(answer.json()).toEqual({
          error: { code: 'unauthorized', message: expect.any(String), next: expect.any(String) },
        })
      }
    }
  })

  test('is asked for however the path is written', async () => {
    await api.app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = api.app.server.address() as AddressInfo
    const raw = (target: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1')
        let answer = ''
        socket.on('data', (part) => {
          answer += part
        })
        socket.on('close', () => resolve(answer))
        socket.on('error', reject)
        socket.write(`GET ${target} HTTP/1.1\r\nHost: cinch\r\nConnection: close\r\n\r\n`)
      })
    const targets = [
      '/api/v1/sources',
      '/%61pi/v1/sources',
      '/api/v1/source%73',
      '/met%72ics',
      '/metrics?x',
      '//api/v1/sources',
    ]
    const odd = [
      '/./api/v1/sources',
      '/api/../api/v1/sources',
      '/API/v1/sources',
      '/api/v1/sources/',
      'http://x/api/v1/sources',
      '/api%2fv1/sources',
      '/x/..%2fapi/v1/sources',
      '/api;/v1/sources',
    ]
    for (const target of [...targets, ...odd]) {
      const answer = await raw(target)
      expect({ target, line: answer.split('\r\n')[0] }).toEqual({
        target,
        line: expect.stringMatching(/^HTTP\/1\.1 (400|401|403|404) /),
      })
      expect(answer).not.toContain('istio-json')
    }
  })

  test('is not asked for by probes, and the page has no data', async () => {
    expect((await api.app.inject({ url: '/healthz' })).json()).toEqual({ status: 'ok' })
    expect((await api.app.inject({ url: '/readyz' })).json()).toEqual({ status: 'ready' })
    const page = await api.app.inject({ url: '/' })
    expect([200, 404]).toContain(page.statusCode)
    expect(page.body).not.toContain(api.token)
  })

  test('a wrong one is answered the same as none, whatever is asked', async () => {
    const urls = ['/api/v1/sources', '/api/v1/nothing', '/api/v1/graph?limit=151', '/metrics']
    const answers = await Promise.all(
      urls.flatMap((url) => [{}, { authorization: 'Bearer wrong' }].map((headers) => api.app.inject({ url, headers }))),
    )
    expect(new Set(answers.map((answer) => `${answer.statusCode} ${answer.body}`)).size).toBe(1)
  })

  test('lies in a file for its owner only, and is used again', () => {
    const file = join(api.dir, 'admin-token')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readOrMakeToken(file)).toBe(api.token)
    expect(readFileSync(file, 'utf8')).toBe(`${api.token}\n`)
    expect(api.token.length).toBeGreaterThan(40)
  })
})

describe('the OpenAPI document', () => {
  interface Operation {
    summary?: string
    parameters?: { name: string; in: string; required?: boolean; schema?: object }[]
    requestBody?: { content: Record<string, { schema: object }> }
    responses: Record<string, { description: string }>
    security?: object[]
  }
  interface OpenApi {
    openapi: string
    info: { title: string; version: string }
    paths: Record<string, Record<string, Operation>>
    components: { securitySchemes: Record<string, { type: string; scheme: string }> }
    security: Record<string, string[]>[]
  }

  test('lists the routes that there are, no more and no fewer', async () => {
    const document = (await api.ask('/api/v1/openapi.json')).json<OpenApi>()
    const told = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    )
    expect(told.sort()).toEqual(
      routesOf(api.app)
        .filter((route) => route !== 'GET *')
        .sort(),
    )
  })

  test('is valid (OpenAPI 3.0.3)', async () => {
    const document = (await api.ask('/api/v1/openapi.json')).json<OpenApi>()
    expect(document.openapi).toMatch(/^3\.0\.\d$/)
    expect(document.info).toMatchObject({ title: 'Cinch', version: expect.any(String) })
    expect(document.components.securitySchemes['token']).toMatchObject({ type: 'http', scheme: 'bearer' })
    expect(document.security).toEqual([{ token: [] }])
    for (const [path, operations] of Object.entries(document.paths)) {
      expect(path).toMatch(/^\//)
      for (const operation of Object.values(operations)) checkOperation(path, operation)
    }
    // Words of JSON Schema that OpenAPI 3.0's dialect does not have.
    expect(JSON.stringify(document)).not.toMatch(/"(const|\$id|\$schema|examples|patternProperties|\$ref)":/)
  })

  function checkOperation(path: string, operation: Operation): void {
    expect(operation.summary, path).toBeTruthy()
    expect(Object.keys(operation.responses).length).toBeGreaterThan(0)
    for (const [status, { description }] of Object.entries(operation.responses))
      expect({ status, description }).toEqual({
        status: expect.stringMatching(/^([1-5]\d\d|default)$/),
        description: expect.any(String),
      })
    const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
    expect(inPath.map(({ name }) => name)).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
    for (const parameter of operation.parameters ?? []) expect(parameter.schema, path).toBeDefined()
    expect(inPath.every(({ required }) => required)).toBe(true)
  }
})

describe('errors', () => {
  const POST = { method: 'POST' as const, headers: { 'content-type': 'application/json' } }
  test.each([
    ['nothing there', 404, 'not_found', '/api/v1/nothing', {}],
    ['a node more than a screen gets', 400, 'bad_option', '/api/v1/graph?limit=151', {}],
    ['no node', 400, 'bad_option', '/api/v1/graph?limit=0', {}],
    ['a limit that is no number', 400, 'bad_option', '/api/v1/graph?limit=many', {}],
    ['a window given twice', 400, 'bad_option', '/api/v1/graph?since=24h&since=48h', {}],
    ['a query that is too long', 400, 'bad_option', `/api/v1/graph?expand=${'x'.repeat(4097)}`, {}],
    ['a time that is too long', 400, 'bad_option', `/api/v1/graph?since=${'1'.repeat(41)}`, {}],
    ['what is no time', 400, 'bad_time', '/api/v1/graph?since=yesterday', {}],
    ['an end before the start', 400, 'bad_time', '/api/v1/edges?since=2026-02-02&until=2026-02-01', {}],
    ['half an edge', 400, 'bad_option', '/api/v1/operations?source=a', {}],
    ['a source that is none', 404, 'unknown_source', '/api/v1/rejects?source=apache', {}],
    ['too many rejects', 400, 'bad_option', '/api/v1/rejects?limit=1001', {}],
    ['a doctor for what is none', 404, 'unknown_source', '/api/v1/doctor?source=apache', {}],
    ['no JSON', 400, 'bad_option', '/api/v1/policies', { ...POST, body: '{' }],
    [
      'not JSON',
      415,
      'bad_option',
      '/api/v1/policies',
      { ...POST, headers: { 'content-type': 'application/xml' }, body: 'x' },
    ],
    ['a target that is none', 400, 'bad_option', '/api/v1/policies', { ...POST, body: '{"target":"acl"}' }],
    ['a misspelt option', 400, 'bad_option', '/api/v1/policies', { ...POST, body: '{"granularty":"path"}' }],
    ['evidence that is none', 400, 'bad_option', '/api/v1/policies', { ...POST, body: '{"evidence":"sworn"}' }],
    [
      'a naming rule with a stray brace',
      400,
      'bad_option',
      '/api/v1/policies',
      { ...POST, body: '{"principal":"a/{b"}' },
    ],
    ['a replay of nothing', 400, 'bad_option', '/api/v1/policies/replay', { ...POST, body: '{}' }],
    [
      'a policy that is none',
      400,
      'bad_policy',
      '/api/v1/policies/replay',
      { ...POST, body: JSON.stringify({ files: [{ path: 'a.yaml', content: 'kind: [' }] }) },
    ],
    ['a body that is too large', 413, 'too_large', '/api/v1/policies', { ...POST, body: ' '.repeat((1 << 20) + 1) }],
    [
      'a sender without a name',
      400,
      'bad_sender',
      '/api/v1/senders',
      { ...POST, body: '{"id":"-","sources":["istio-json"]}' },
    ],
    ['a sender of nothing', 400, 'bad_option', '/api/v1/senders', { ...POST, body: '{"id":"a","sources":[]}' }],
    ['a sender that is not there', 404, 'not_found', '/api/v1/senders/nobody', { method: 'DELETE' as const }],
  ])('%s: %i %s', async (_, status, code, url, options) => {
    const answer = await api.ask(url, options)
    expect(answer.json()).toEqual({
      error: { code, message: expect.stringMatching(/\S/), next: expect.stringMatching(/\S/) },
    })
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
  })

  test('what fails inside is told to the log only', async () => {
    const { store } = api
    const broken = { ...api.cinch, sources: async () => Promise.reject(new Error(`secret of ${store.dataDir}`)) }
    const { createServer } = await import('../../services/api/server.ts')
    const options = { ready: async () => false, adminToken: 'x', roles: { api: true, collector: false } }
    const app = await createServer({ cinch: broken, ...options })
    const answer = await app.inject({ url: '/api/v1/sources', headers: { authorization: 'Bearer x' } })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ error: { code: 'internal' } })
    expect(answer.body).not.toContain('secret')
    expect((await app.inject({ url: '/readyz' })).statusCode).toBe(503)
    await app.close()
  })
})

test('every answer carries the headers that keep a page from being misused', async () => {
  for (const url of ['/', '/healthz', '/api/v1/sources', '/api/v1/nothing', '/metrics', '/nothing']) {
    const { headers } = await api.ask(url)
    expect({ url, ...headers }).toMatchObject({
      url,
      'content-security-policy': expect.stringMatching(/^default-src 'self';.*frame-ancestors 'none'/),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    })
    expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|https?:/)
    expect(headers['access-control-allow-origin']).toBeUndefined()
  }
  expect((await api.ask('/api/v1/sources')).headers['cache-control']).toBe('no-store')
})

test('the page, where it is built, is served with its type', async () => {
  const built = existsSync(new URL('../../web/dist/index.html', import.meta.url))
  const answer = await api.app.inject({ url: '/' })
  expect(answer.statusCode).toBe(built ? 200 : 404)
  if (built) expect(answer.headers['content-type']).toMatch(/^text\/html/)
  for (const url of ['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/....//package.json'])
    expect((await api.app.inject({ url })).body).not.toContain('"dependencies"')
})

test('metrics are Prometheus text, one series for each route and never for a path', async () => {
  for (let id = 0; id < 20; id++) await api.app.inject({ url: `/random/${id}` })
  const { body, headers } = await api.ask('/metrics')
  expect(headers['content-type']).toContain('text/plain; version=0.0.4')
  for (const line of body.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.e+-]+)$/)
  expect(body).not.toContain('/random/')
  expect(body).toContain('cinch_source_accepted_total{source="istio-json"} 1')
})

test('the graph over HTTP is the one that the store has', async () => {
  const { edges, grouping } = (await api.ask('/api/v1/graph')).json()
  expect(grouping).toMatchObject({ total_nodes: 2, shown_nodes: 2, total_edges: 1, shown_edges: 1, by: 'none' })
  expect(edges).toMatchObject([{ requests: 1, denied: 0, evidence: 'verified', reporter: 'destination', mtls: 'yes' }])
  const [edge] = edges
  const query = new URLSearchParams({ source: edge.source, destination: edge.destination })
  const { operations } = (await api.ask(`/api/v1/operations?${query}`)).json()
  expect(operations).toMatchObject([
    { method: 'GET', path: '/orders', requests: 1, evidence: 'verified', workload_port: 8080 },
  ])
})
