import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pairSpans } from '../../services/analyzer/spans/pair.ts'
import { PATH_FLAGS } from '../../services/model/operation.ts'
import { type TestResource, type TestSpan, toCollectorFile, toJson, toProtobuf } from './otlp.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('otlp')
}, 60_000)
afterAll(() => store.close())

const SOURCE = 'otlp-traces'
const START = 1_763_800_000_000_000_000n
const trace = (n: number) => n.toString(16).padStart(32, '0')
const id = (n: number) => n.toString(16).padStart(16, '0')
const at = (seconds: number) => String(START + BigInt(seconds) * 1_000_000_000n)
const service = (name: string, spans: TestSpan[]): TestResource => ({
  attributes: { 'service.name': name, 'k8s.namespace.name': 'shop' },
  spans,
})

/** A caller's client span and the callee's server span under it, in trace `n`. */
function call(n: number, client: Partial<TestSpan>, server: Partial<TestSpan>): TestResource[] {
  return [
    service('web', [{ traceId: trace(n), spanId: id(1), name: 'call', kind: 3, startTimeUnixNano: at(n), ...client }]),
    service('orders', [
      {
        traceId: trace(n),
        spanId: id(2),
        parentSpanId: id(1),
        name: 'handle',
        kind: 2,
        startTimeUnixNano: at(n),
        ...server,
      },
    ]),
  ]
}

const COLUMNS =
  'toString(time) AS time, span_key, parent_key, duration_us, namespace, service, workload, kind, protocol, method, path, path_flags, path_rank, status, is_database'
const spansOf = (cluster: string) =>
  store.rows(`SELECT ${COLUMNS} FROM span WHERE cluster = {cluster:String} ORDER BY time, span_key`, { cluster })
const rejectsOf = async (cluster: string) =>
  (
    await store.rows<{ reason: string }>(
      'SELECT reason FROM rejected_line WHERE cluster = {cluster:String} ORDER BY reason',
      { cluster },
    )
  ).map(({ reason }) => reason)

async function callsOf(cluster: string) {
  await pairSpans(store.store)
  const rows = await store.rows<Record<string, string | number>>(
    `SELECT source_workload AS source, destination_workload AS destination, protocol, method, shape AS path, path_flags AS flags, sum(requests) AS requests
     FROM span_call FINAL WHERE cluster = {cluster:String} AND unpaired = '' GROUP BY ALL HAVING requests > 0 ORDER BY ALL`,
    { cluster },
  )
  return rows.map(({ flags, ...row }) => ({
    ...row,
    flags: PATH_FLAGS.filter((_, bit) => (Number(flags) & (1 << bit)) !== 0),
  }))
}

describe('one set of spans, however it is written', () => {
  const resources = Array.from({ length: 40 }, (_, n) =>
    call(
      n + 1,
      {
        endTimeUnixNano: at(n + 2),
        attributes: { 'http.request.method': 'GET', 'url.full': `http://orders/a/${n}?x=1` },
      },
      { attributes: { 'http.route': '/a/:id', 'http.response.status_code': 200 + n } },
    ),
  )
  const requests = resources.map(toProtobuf)
  const writings: [string, Buffer][] = [
    ['JSON lines', Buffer.from(resources.map((request) => `${toJson(request)}\n`).join(''))],
    ['one JSON line', Buffer.from(toJson(resources.flat()))],
    ['protobuf', Buffer.concat(requests)],
    ["the Collector's file", toCollectorFile(requests)],
  ]

  test.each(writings)(
    '%s: plain, gzip and zstd',
    async (name, bytes) => {
      await store.file(SOURCE, writings[0]![1], 'reference')
      const reference = await spansOf('reference')
      expect(reference).toHaveLength(80)
      for (const [packed, content] of [
        ['plain', bytes],
        ['gzip', gzipSync(bytes)],
        ['zstd', zstdCompressSync(bytes)],
      ] as const) {
        const cluster = `${name} ${packed}`
        expect(await store.file(SOURCE, content, cluster)).toMatchObject({ read: 80, accepted: 80, rejected: 0 })
        expect(await spansOf(cluster)).toEqual(reference)
      }
      await store.request(SOURCE, bytes, { cluster: `${name} request` })
      if (!name.includes('file')) expect(await spansOf(`${name} request`)).toEqual(reference)
    },
    60_000,
  )

  test.each([
    ['protobuf', (list: Buffer[]) => Buffer.concat(list)],
    ["the Collector's file", toCollectorFile],
  ])('a message in the middle of %s that is no OTLP is rejected alone', async (name, pack) => {
    const bad = Buffer.from(requests[7]!)
    // Within the message: its outer frame stays whole.
    bad.fill(0xff, 12, 30)
    expect(await store.file(SOURCE, pack(requests.with(7, bad)), `broken ${name}`)).toMatchObject({
      accepted: 79,
      rejected: 1,
    })
    expect(await rejectsOf(`broken ${name}`)).toEqual(['malformed_protobuf'])
    expect(store.spooled()).toEqual([])
  })

  test("a damaged frame in the Collector's file takes no neighbour along; raw protobuf is read up to it", async () => {
    const bad = Buffer.from('no protobuf at all')
    expect(await store.file(SOURCE, toCollectorFile(requests.with(7, bad)), 'frame of a file')).toMatchObject({
      accepted: 78,
      rejected: 1,
    })
    expect(await store.file(SOURCE, Buffer.concat(requests.with(7, bad)), 'frame of raw')).toMatchObject({
      accepted: 14,
      rejected: 1,
    })
  })

  test('a file that is cut in the middle of a message gives the others, and all once it is whole', async () => {
    const bytes = toCollectorFile(requests)
    expect(await store.file(SOURCE, bytes.subarray(0, bytes.length - 20), 'cut')).toMatchObject({
      accepted: 78,
      rejected: 1,
    })
    await store.file(SOURCE, bytes, 'cut')
    expect(await spansOf('cut')).toEqual(await spansOf('reference'))
  })
})

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
      expect(await callsOf(`case ${index}`)).toEqual([
        { source: 'web', destination: 'orders', requests: 1, ...expected },
      ])
    },
  )
})

describe('odd spans', () => {
  const span = (changes: Partial<TestSpan>): TestSpan => ({
    traceId: trace(7),
    spanId: id(7),
    name: 'x',
    kind: 2,
    startTimeUnixNano: at(1),
    ...changes,
  })
  const alone = (changes: Partial<TestSpan>) => toJson([service('orders', [span(changes)])])
  const FUTURE = String(BigInt(Date.now() + 10 * 86_400_000) * 1_000_000n)

  test.each([
    ['a zero trace id', alone({ traceId: trace(0) }), 'bad_trace_id'],
    ['an empty trace id', alone({ traceId: '' }), 'bad_trace_id'],
    ['a short trace id', alone({ traceId: 'abcd' }), 'bad_trace_id'],
    ['a trace id of other letters', alone({ traceId: 'z'.repeat(32) }), 'bad_trace_id'],
    ['a span id of other letters', alone({ spanId: 'y'.repeat(16) }), 'bad_span_id'],
    ['a zero span id', alone({ spanId: id(0) }), 'bad_span_id'],
    ['no service name', toJson([{ attributes: {}, spans: [span({})] }]), 'no_service_name'],
    ['time 0', alone({ startTimeUnixNano: '0' }), 'bad_time'],
    ['a time in the far future', alone({ startTimeUnixNano: '18446744073709551615' }), 'time_in_future'],
    ['a time of next week', alone({ startTimeUnixNano: FUTURE }), 'time_in_future'],
    ['a time of 1971', alone({ startTimeUnixNano: '31536000000000000' }), 'time_too_old'],
    ['a service name of a kilobyte', toJson([service('s'.repeat(1024), [span({})])]), 'too_long'],
    ['no spans', '{"resourceSpans":[]}', 'no_spans'],
    ['an object that is no OTLP', '{"a":1}', 'no_spans'],
    ['no object', 'hello', 'not_json'],
    ['a cut object', alone({}).slice(0, -9), 'json_cut'],
  ])('%s is rejected, its neighbours are not', async (name, line, reason) => {
    const good = toJson([service('orders', [span({ spanId: id(8) })])])
    expect(await store.file(SOURCE, [good, line, good.replace(id(8), id(9))].join('\n'), name)).toMatchObject({
      accepted: 2,
      rejected: 1,
    })
    expect(await rejectsOf(name)).toEqual([reason])
  })

  test('kinds as names, ids in base64, numbers as numbers: the same spans', async () => {
    const resources = call(
      3000,
      {},
      { attributes: { 'http.request.method': 'GET', 'http.route': '/a', 'http.response.status_code': 404 } },
    )
    const text = toJson(resources)
    const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
    const other = text
      .replaceAll('"kind":2', '"kind":"SPAN_KIND_SERVER"')
      .replaceAll('"kind":3', '"kind":"SPAN_KIND_CLIENT"')
      .replaceAll(trace(3000), base64(trace(3000)))
      .replaceAll(id(1), base64(id(1)))
      .replaceAll(id(2), base64(id(2)))
      .replaceAll(/"startTimeUnixNano":"(\d+)"/g, '"startTimeUnixNano":$1')
      .replace('"intValue":"404"', '"intValue":404')
    expect(other).not.toBe(text)
    await store.file(SOURCE, text, 'usual')
    await store.file(SOURCE, other, 'unusual')
    expect(await spansOf('unusual')).toEqual(await spansOf('usual'))
    const told = (await spansOf('usual')).map(({ kind, status }) => `${kind} ${status}`)
    expect(told.sort()).toEqual(['client 0', 'server 404'])
  })

  test('a name of a megabyte, and ten thousand attributes, cost their span nothing', async () => {
    const attributes = {
      ...Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, 'v'])),
      'http.request.method': 'GET',
      'http.route': '/a',
    }
    await store.file(SOURCE, toJson(call(3100, {}, { name: 'n'.repeat(1 << 20), attributes })), 'huge')
    expect(await callsOf('huge')).toMatchObject([{ method: 'GET', path: '/a' }])
  })

  test('a client span within an internal one within a server span: the call is between the services', async () => {
    const resources = [
      service('web', [
        { traceId: trace(3200), spanId: id(1), name: 'GET /page', kind: 2, startTimeUnixNano: at(1) },
        { traceId: trace(3200), spanId: id(2), parentSpanId: id(1), name: 'render', kind: 1, startTimeUnixNano: at(1) },
        {
          traceId: trace(3200),
          spanId: id(3),
          parentSpanId: id(2),
          name: 'HTTP GET',
          kind: 3,
          startTimeUnixNano: at(1),
        },
      ]),
      service('orders', [
        {
          traceId: trace(3200),
          spanId: id(4),
          parentSpanId: id(3),
          name: '/orders',
          kind: 2,
          startTimeUnixNano: at(2),
          attributes: { 'http.route': '/orders' },
        },
      ]),
    ]
    await store.file(SOURCE, toJson(resources), 'nested')
    expect(await callsOf('nested')).toEqual([
      {
        source: 'web',
        destination: 'orders',
        protocol: 'http',
        method: 'GET',
        path: '/orders',
        flags: ['route'],
        requests: 1,
      },
    ])
  })

  test('a parent that began an hour earlier is found', async () => {
    const [client, server] = call(
      3300,
      { startTimeUnixNano: at(3300 - 3600), name: 'HTTP GET' },
      { attributes: { 'http.route': '/stream' } },
    )
    await store.file(SOURCE, toJson([client!]), 'stream')
    await store.file(SOURCE, toJson([server!]), 'stream')
    expect(await callsOf('stream')).toMatchObject([
      { source: 'web', destination: 'orders', method: 'GET', path: '/stream' },
    ])
  })

  // Not so yet: only the minutes around a new span are paired anew, and a long span is sent when it ends, after its children.
  test.fails('a parent that began an hour earlier, and came after its child was paired, is found', async () => {
    const [client, server] = call(
      3400,
      { startTimeUnixNano: at(3400 - 3600), endTimeUnixNano: at(3401), name: 'HTTP GET' },
      { attributes: { 'http.route': '/stream' } },
    )
    await store.file(SOURCE, toJson([server!]), 'late')
    expect(await callsOf('late')).toEqual([])
    await store.file(SOURCE, toJson([client!]), 'late')
    expect(await callsOf('late')).toMatchObject([
      { source: 'web', destination: 'orders', method: 'GET', path: '/stream' },
    ])
  })
})
