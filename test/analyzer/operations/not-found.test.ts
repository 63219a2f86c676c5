import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Generated } from '../../../policy-gen/generate.ts'
import type { CalleeTemplates } from '../../../services/api/templates.ts'
import type { Graph } from '../../../services/model/graph.ts'
import type { ReplayResult } from '../../../services/model/replay.ts'
import { run } from '../../../services/store/store.ts'
import { openApi, type TestApi } from '../../api/support.ts'
import { values } from './cases.ts'
import { type Asked, insertRequests } from './requests.ts'

const names = values('user', 30)
const scanned = values('probe', 30).map((name): Asked => ({ path: `/scan/${name}`, caller: 'scanner', status: 404 }))
const ASKED: Asked[] = [
  ...names.map((name) => ({ path: `/users/${name}` })),
  // Of a template that others were served.
  { path: '/users/gone', status: 404 },
  { path: '/health', requests: 9 },
  // Now and then not there.
  { path: '/report', requests: 6 },
  { path: '/report', requests: 4, status: 404 },
  { path: '/old', requests: 7, status: 404 },
  { path: '/health', method: 'PATCH', requests: 5, status: 405 },
  { path: '/refused', requests: 3, status: 404, decision: 'denied' },
  ...scanned,
]
const CALLS: Asked[] = [
  { path: '/shop.Cart/Get', method: 'POST', requests: 8, grpc_status: 0, protocol: 'grpc' },
  // gRPC's NOT_FOUND is an answer of an operation that is there.
  { path: '/shop.Cart/Find', method: 'POST', requests: 2, grpc_status: 5, protocol: 'grpc' },
  { path: '/shop.Cart/Nothing', method: 'POST', requests: 4, grpc_status: 12, protocol: 'grpc' },
]
const NOT_FOUND = 1 + 4 + 7 + 5 + 30 + 4

let api: TestApi
beforeAll(async () => {
  api = await openApi('not-found')
  await insertRequests(api.store, 'users', ASKED)
  await insertRequests(api.store, 'cart', CALLS)
  await api.cinch.learnOperations()
  // What is asked from here on must not need the facts.
  await run(api.store.jobs, 'TRUNCATE TABLE request')
})
afterAll(() => api.close())

test('they are counted beside those that were served and those that were refused', async () => {
  const rows = await api.rows<Record<string, number>>(
    'SELECT sum(requests) AS requests, sum(denied) AS denied, sum(not_found) AS not_found FROM operation_usage',
  )
  expect(rows).toEqual([{ requests: 30 + 1 + 9 + 10 + 7 + 5 + 30 + 14, denied: 3, not_found: NOT_FOUND }])
})

test('they make no template, and are none of one', async () => {
  const { templates, set } = (await api.ask('/api/v1/templates/callee?callee=shop/users')).json<CalleeTemplates>()
  expect(templates.map(({ method, path, requests }) => [`${method} ${path}`, requests])).toEqual([
    ['GET /health', 9],
    ['GET /report', 6],
    ['GET /users/{value}', 30],
  ])
  expect(set).toMatchObject({ untaught_paths: 1 + 1 + 1 + 1 + 30, untaught_requests: 0 })
})

test('the graph shows them', async () => {
  const graph = (await api.ask('/api/v1/edges')).json<Graph>()
  const operations = graph.edges.flatMap((edge) => edge.operations)
  expect(operations.reduce((sum, { not_found }) => sum + not_found, 0)).toBe(NOT_FOUND)
  expect(operations.find(({ path }) => path === '/report')).toMatchObject({ requests: 10, denied: 0, not_found: 4 })
  expect(operations.find(({ path }) => path === '/users/{value}')).toMatchObject({ requests: 31, not_found: 1 })
})

test('they earn no permission, which is said; replay tells them from what would be lost', async () => {
  const options = { selector: 'app={workload}' }
  const generated = (await api.ask('/api/v1/policies', { method: 'POST', payload: options })).json<Generated>()
  const { permissions, skipped } = generated.report
  expect(permissions.map(({ operation }) => `${operation.method} ${operation.path}`).sort()).toEqual([
    'GET /health',
    'GET /report',
    'GET /users/{value}',
    'POST /shop.Cart/Find',
    'POST /shop.Cart/Get',
  ])
  const told = skipped
    .filter(({ code }) => code === 'not_found')
    .map((one) => [one.callee, one.caller, one.operations, one.requests])
  expect(told).toEqual([
    ['shop/cart', 'td/ns/shop/sa/web', 1, 4],
    ['shop/users', 'td/ns/shop/sa/scanner', 30, 30],
    ['shop/users', 'td/ns/shop/sa/web', 2, 12],
  ])

  const body = { files: generated.files }
  const result = (await api.ask('/api/v1/policies/replay', { method: 'POST', payload: body })).json<ReplayResult>()
  expect(result.newly_denied).toEqual([])
  expect(result.newly_allowed).toEqual([])
  expect(result.uncertain).toEqual([])
  const lost = result.denied_not_found
  expect(lost.reduce((sum, { requests }) => sum + requests, 0)).toBe(4 + 30 + 12)
  expect(lost.slice(0, 2).map(({ path, requests }) => [path, requests])).toEqual([
    ['/old', 7],
    ['/health', 5],
  ])
  expect(result.still_allowed + result.still_denied + 46).toBe(result.requests)
})
