import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Generated } from '../../../policy-gen/generate.ts'
import { NAMES_MAX } from '../../../services/analyzer/operations/named.ts'
import type { CalleeTemplates } from '../../../services/api/templates.ts'
import { createCommitter } from '../../../services/collector/commit.ts'
import { ingestRequest } from '../../../services/collector/ingest.ts'
import { operator } from '../../../services/collector/origin.ts'
import { findSource } from '../../../services/collector/sources/index.ts'
import type { Graph } from '../../../services/model/graph.ts'
import type { ReplayResult } from '../../../services/model/replay.ts'
import { openApi, type TestApi } from '../../api/support.ts'
import { type TestSpan, toJson } from '../../collector/otlp.ts'
import { accessLine } from '../../support/telemetry.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('named')
}, 60_000)
afterAll(() => api.close())

async function send(source: string, lines: string[]): Promise<void> {
  const body = Buffer.from(lines.join('\n'))
  await ingestRequest(api.store, createCommitter(api.store), findSource(source), operator(), body)
  await api.cinch.analyze()
}

const post = (to: string, path: string, more: object = {}) =>
  JSON.stringify({ ...JSON.parse(accessLine({ to, method: 'POST', path })), ...more })

/** The operations of a callee with their requests. */
async function operationsOf(callee: string): Promise<[operation: string, requests: number][]> {
  const graph = (await api.ask('/api/v1/edges')).json<Graph>()
  const operations = graph.edges.filter(({ destination }) => destination === callee).flatMap((edge) => edge.operations)
  return operations
    .map(({ method, path, requests }): [string, number] => [`${method} ${path}`, requests])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

describe('what a log tells', () => {
  test('the query string names the operation, or a header that the mesh logs', async () => {
    const query = '?operationName=GetOrder&variables=%7B%22card%22%3A%224111111111111111%22%7D'
    await send('istio-json', [
      ...Array.from({ length: 6 }, () => post('shop/gateway', `/graphql${query}`)),
      ...Array.from({ length: 7 }, () => post('shop/gateway', '/graphql', { operation_name: 'CancelOrder' })),
      post('shop/gateway', '/graphql', { operation_name: '-' }),
      post('shop/gateway', '/graphql?x=1&operationName=GetOrder#top'),
    ])
    expect(await operationsOf('shop/gateway')).toEqual([
      ['POST /graphql', 1],
      ['POST /graphql#CancelOrder', 7],
      ['POST /graphql#GetOrder', 7],
    ])
  })

  test.each([
    ['no name', 'operationName='],
    ['a number', 'operationName=1st'],
    ['a percent sign', 'operationName=Get%4frder'],
    ['quotes', 'operationName="x"'],
    ['a token', 'operationName=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln'],
    ['another parameter', 'xoperationName=Get'],
    ['65 characters', `operationName=${'a'.repeat(65)}`],
  ])('%s is dropped', async (name, query) => {
    const callee = `shop/drop-${name.replaceAll(' ', '-')}`
    await send('istio-json', [post(callee, `/graphql?${query}`), post(callee, '/graphql', { operation_name: query })])
    expect(await operationsOf(callee)).toEqual([['POST /graphql', 2]])
  })

  test('nothing else of a query string is kept, in any table', async () => {
    const tables = await api.rows<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'",
    )
    expect(tables.length).toBeGreaterThan(10)
    for (const { name } of tables) {
      const rows = JSON.stringify(await api.rows(`SELECT * FROM ${name}`))
      for (const secret of ['variables', '4111111111111111', 'eyJ']) expect(rows, name).not.toContain(secret)
    }
  })
})

describe('what spans tell', () => {
  const START = 1_763_800_000_000_000_000n
  const id = (n: number, digits = 16) => n.toString(16).padStart(digits, '0')
  let traces = 0
  const call = (callee: string, attributes: Record<string, string>, inner?: Record<string, string>) => {
    const traceId = id(++traces, 32)
    const span = (n: number, kind: number, parent: number, more: Record<string, string>): TestSpan => ({
      ...{ traceId, spanId: id(n), ...(parent > 0 ? { parentSpanId: id(parent) } : {}), name: 'x', kind },
      startTimeUnixNano: String(START + BigInt(traces * 1000 + n)),
      attributes: more,
    })
    const url = { 'http.request.method': 'POST', 'url.path': '/graphql' }
    const own = [span(2, 2, 1, { ...url, ...attributes }), ...(inner ? [span(3, 1, 2, inner)] : [])]
    return [
      toJson([{ attributes: { 'service.name': 'web', 'k8s.namespace.name': 'shop' }, spans: [span(1, 3, 0, url)] }]),
      ...own
        .reverse()
        .map((one) => toJson([{ attributes: { 'service.name': callee, 'k8s.namespace.name': 'shop' }, spans: [one] }])),
    ]
  }
  const query = { 'graphql.operation.name': 'GetOrder', 'graphql.operation.type': 'query' }

  test.each([
    ['of the request', query, undefined, 'query GetOrder'],
    ['below it', {}, query, 'query GetOrder'],
    ['a type alone', { 'graphql.operation.type': 'mutation' }, undefined, 'mutation'],
    ['a name alone', {}, { 'graphql.operation.name': 'GetOrder' }, 'GetOrder'],
    ['an unknown type', { ...query, 'graphql.operation.type': 'drop table' }, undefined, 'GetOrder'],
    ['no name at all', { ...query, 'graphql.operation.name': '{ order { card } }' }, undefined, 'query'],
    ['JSON-RPC', { 'rpc.system': 'jsonrpc', 'rpc.method': 'eth_getBalance' }, undefined, 'eth_getBalance'],
    ['JSON-RPC by its new name', { 'rpc.system.name': 'jsonrpc', 'rpc.method': 'tools/call' }, undefined, 'tools/call'],
    ['JSON-RPC, not a method', { 'rpc.system': 'jsonrpc', 'rpc.method': 'a b' }, undefined, ''],
  ])('%s', async (name, attributes, inner, named) => {
    const callee = `span-${name.replaceAll(/[ ,]+/g, '-')}`
    const parts = call(callee, attributes as Record<string, string>, inner as Record<string, string> | undefined)
    // One by one, and the caller last: the order says nothing.
    for (const part of parts.reverse()) await send('otlp-traces', [part])
    expect(await operationsOf(`shop/${callee}`)).toEqual([[`POST /graphql${named === '' ? '' : `#${named}`}`, 1]])
  })

  test('JSON-RPC without HTTP is an operation without a path', async () => {
    const parts = call('bare', { 'rpc.system': 'jsonrpc', 'rpc.method': 'getOrder' })
    const bare = parts.map((part) =>
      part.replaceAll('url.path', 'x.path').replaceAll('http.request.method', 'x.method'),
    )
    await send('otlp-traces', bare)
    expect(await operationsOf('shop/bare')).toEqual([[' #getOrder', 1]])
  })
})

test('each name is an operation with a version, which Istio cannot tell from the others at its path', async () => {
  await api.cinch.learnOperations()
  const { templates } = (await api.ask('/api/v1/templates/callee?callee=shop/gateway')).json<CalleeTemplates>()
  expect(templates.map(({ id, operation, requests, version }) => [id, operation, requests, version])).toEqual([
    ['POST CancelOrder /graphql', 'CancelOrder', 7, 1],
    ['POST GetOrder /graphql', 'GetOrder', 7, 1],
  ])
  for (const { istio } of templates) expect(istio).toMatch(/others at this path/)
})

test('a permission is for the path, says which operations that lets in, and denies none of them', async () => {
  const payload = { selector: 'app={workload}', target: 'istio' }
  const { report, files } = (await api.ask('/api/v1/policies', { method: 'POST', payload })).json<Generated>()
  const own = report.permissions.filter(({ callee }) => callee.workload === 'gateway')
  expect(own.map(({ operation }) => operation)).toEqual([
    expect.objectContaining({ method: 'POST', path: '/graphql', named: ['CancelOrder', 'GetOrder'] }),
  ])
  const loss = report.loss.filter(({ callee, kind }) => callee === 'shop/gateway' && kind === 'named_operation')
  expect(loss).toEqual([expect.objectContaining({ done: 'widened', path: '/graphql', requests: 15 })])
  expect(loss[0]?.detail).toContain('"CancelOrder", "GetOrder"')
  expect(JSON.stringify(files.filter(({ path }) => path.endsWith('.yaml')))).not.toMatch(/graphql#/)
  const replayed = await api.ask('/api/v1/policies/replay', { method: 'POST', payload: { files } })
  const { newly_denied, newly_allowed } = replayed.json<ReplayResult>()
  // Whom only spans name has no identity that a policy could allow.
  expect(newly_denied.filter(({ destination }) => destination === 'shop/gateway')).toEqual([])
  expect(newly_allowed).toEqual([])
})

test('names beyond the most that a path has are counted at the path, and how many', async () => {
  const floods = Array.from({ length: NAMES_MAX + 50 }, (_, n) => post('shop/flood', `/graphql?operationName=N${n}`))
  const often = Array.from({ length: 20 }, () => post('shop/flood', '/graphql?operationName=Often'))
  await send('istio-json', [...floods, ...often])
  await api.cinch.learnOperations()
  const graph = (await api.ask('/api/v1/edges')).json<Graph>()
  const operations = graph.edges.find(({ destination }) => destination === 'shop/flood')?.operations ?? []
  expect(operations).toHaveLength(NAMES_MAX + 1)
  expect(operations[0]).toMatchObject({ path: '/graphql', requests: 51, names_folded: 51 })
  expect(operations[1]).toMatchObject({ path: '/graphql#Often', requests: 20 })
  expect(operations.reduce((sum, { requests }) => sum + requests, 0)).toBe(NAMES_MAX + 70)
})
