import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sourceDir } from './facts.ts'
import { type TestSpan, toJson } from './otlp.ts'
import { call, callsOf } from './spans.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('operations')
}, 60_000)
afterAll(() => store.close())

const SOURCE = 'otlp-traces'

describe('the operation, from whichever side tells it', () => {
  const grpc = { protocol: 'grpc', method: 'POST', flags: [] }
  const CASES: [string, Partial<TestSpan>, Partial<TestSpan>, Record<string, unknown>][] = [
    [
      'a gRPC name of the callee',
      {},
      { name: 'hipstershop.CartService/GetCart' },
      { ...grpc, path: '/hipstershop.CartService/GetCart' },
    ],
    [
      'a gRPC name of the caller',
      { name: 'grpc.hipstershop.CartService/GetCart' },
      {},
      { ...grpc, path: '/hipstershop.CartService/GetCart' },
    ],
    [
      'a gRPC name that is a path',
      { name: '/hipstershop.CartService/GetCart' },
      { name: 'hipstershop.CartService/GetCart' },
      { ...grpc, path: '/hipstershop.CartService/GetCart' },
    ],
    [
      'rpc attributes',
      {},
      { attributes: { 'rpc.system': 'grpc', 'rpc.service': 'a.b.Carts', 'rpc.method': 'Get' } },
      { ...grpc, path: '/a.b.Carts/Get' },
    ],
    [
      'rpc attributes of 2025',
      {},
      { attributes: { 'rpc.system.name': 'grpc', 'rpc.method': 'a.b.Carts/Get' } },
      { ...grpc, path: '/a.b.Carts/Get' },
    ],
    [
      'rpc attributes on one side only',
      { attributes: { 'rpc.system': 'grpc', 'rpc.service': 'a.b.Carts', 'rpc.method': 'Get' } },
      {},
      { ...grpc, path: '/a.b.Carts/Get' },
    ],
    [
      'a route of the callee, the method in the name of the caller',
      { name: 'HTTP PUT' },
      { attributes: { 'http.route': '/a/{id}' } },
      { protocol: 'http', method: 'PUT', path: '/a/{id}', flags: ['route'] },
    ],
    [
      'a method only in the name of the callee',
      {},
      { name: 'GET /a/{id}' },
      { protocol: 'http', method: 'GET', path: '/a/{id}', flags: ['route'] },
    ],
    [
      'a catch-all route is reported as it is, never as the path',
      { name: 'HTTP POST' },
      { name: '/*', attributes: { 'http.route': '/*' } },
      { protocol: 'http', method: 'POST', path: '/*', flags: ['route'] },
    ],
    [
      'the path of the caller where the callee has a catch-all',
      { attributes: { 'http.request.method': 'GET', 'url.full': 'http://orders:80/a/17?x=1#f' } },
      { attributes: { 'http.route': '/*' } },
      { protocol: 'http', method: 'GET', path: '/a/{int}', flags: ['query'] },
    ],
    [
      "Express's parameters",
      {},
      { attributes: { 'http.method': 'GET', 'http.route': '/a/:id/b/:other' } },
      { protocol: 'http', method: 'GET', path: '/a/{id}/b/{other}', flags: ['route'] },
    ],
    [
      "Flask's parameters",
      {},
      { attributes: { 'http.method': 'GET', 'http.route': '/a/<int:id>/<name>' } },
      { protocol: 'http', method: 'GET', path: '/a/{id}/{name}', flags: ['route'] },
    ],
    [
      "Spring's patterns",
      {},
      { attributes: { 'http.method': 'GET', 'http.route': '/a/{id:[0-9]+}/b' } },
      { protocol: 'http', method: 'GET', path: '/a/{id}/b', flags: ['route'] },
    ],
    [
      "Next.js's parameters",
      {},
      { attributes: { 'http.method': 'GET', 'http.route': '/a/[id]' } },
      { protocol: 'http', method: 'GET', path: '/a/{id}', flags: ['route'] },
    ],
    [
      'a path and a route that fits it: the route names the parameter',
      {},
      { attributes: { 'http.method': 'GET', 'http.route': '/a/{id}', 'url.path': '/a/x' } },
      { protocol: 'http', method: 'GET', path: '/a/{id}', flags: ['route'] },
    ],
    [
      'a target of before 2023',
      {},
      { attributes: { 'http.method': 'GET', 'http.target': '/a/b?c=d' } },
      { protocol: 'http', method: 'GET', path: '/a/b', flags: ['query'] },
    ],
    [
      'an unusual method',
      {},
      { attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': 'PURGE', 'url.path': '/a' } },
      { protocol: 'http', method: 'PURGE', path: '/a', flags: [] },
    ],
    ['nothing', {}, {}, { protocol: 'unknown', method: '', path: '', flags: [] }],
    [
      'a name that is prose',
      {},
      { name: 'handle some/thing.Like this' },
      { protocol: 'unknown', method: '', path: '', flags: [] },
    ],
  ]

  beforeAll(async () => {
    for (const [index, [, client, server]] of CASES.entries())
      await store.file(SOURCE, toJson(call(100 + index, client, server)), `case ${index}`)
  }, 60_000)

  test.each(CASES.map(([name, , , expected], index) => ({ name, index, expected })))(
    '$name',
    async ({ index, expected }) => {
      expect(await callsOf(store, `case ${index}`)).toEqual([
        { source: 'web', destination: 'orders', requests: 1, ...expected },
      ])
    },
  )
})

test('real spans of two Envoys: what is expected of them', async () => {
  const dir = sourceDir(SOURCE)
  const expected = readFileSync(new URL('expected.jsonl', dir), 'utf8').trimEnd().split('\n')
  const sample = readFileSync(new URL('samples/envoy.binpb', dir))
  expect(await store.file(SOURCE, sample, 'real')).toMatchObject({ accepted: 6, rejected: 0 })
  expect(await callsOf(store, 'real')).toEqual(expected.map((line) => JSON.parse(line)))
})
