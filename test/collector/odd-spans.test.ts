import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestSpan, toJson } from './otlp.ts'
import { at, call, callsOf, id, rejectsOf, service, spansOf, trace } from './spans.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('odd-spans')
}, 60_000)
afterAll(() => store.close())

const SOURCE = 'otlp-traces'

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
    expect(await rejectsOf(store, name)).toEqual([reason])
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
    expect(await spansOf(store, 'unusual')).toEqual(await spansOf(store, 'usual'))
    const told = (await spansOf(store, 'usual')).map(({ kind, status }) => `${kind} ${status}`)
    expect(told.sort()).toEqual(['client 0', 'server 404'])
  })

  test('a name of a megabyte, and ten thousand attributes, cost their span nothing', async () => {
    const attributes = {
      ...Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, 'v'])),
      'http.request.method': 'GET',
      'http.route': '/a',
    }
    await store.file(SOURCE, toJson(call(3100, {}, { name: 'n'.repeat(1 << 20), attributes })), 'huge')
    expect(await callsOf(store, 'huge')).toMatchObject([{ method: 'GET', path: '/a' }])
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
    expect(await callsOf(store, 'nested')).toEqual([
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
    expect(await callsOf(store, 'stream')).toMatchObject([
      { source: 'web', destination: 'orders', method: 'GET', path: '/stream' },
    ])
  })

  // Not so yet: only the minutes around a new span are paired anew, and a long span is sent when it ends, after its children.
  test('a parent that began an hour earlier, and came after its child was paired, is found', async () => {
    const [client, server] = call(
      3400,
      { startTimeUnixNano: at(3400 - 3600), endTimeUnixNano: at(3401), name: 'HTTP GET' },
      { attributes: { 'http.route': '/stream' } },
    )
    await store.file(SOURCE, toJson([server!]), 'late')
    expect(await callsOf(store, 'late')).toEqual([])
    await store.file(SOURCE, toJson([client!]), 'late')
    expect(await callsOf(store, 'late')).toMatchObject([
      { source: 'web', destination: 'orders', method: 'GET', path: '/stream' },
    ])
  })
})
