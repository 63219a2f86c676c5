import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chunks, cutDocuments } from '../../../services/collector/input/chunks.ts'
import { sourceDir } from '../facts.ts'
import { callsOf, rejectsOf } from '../spans.ts'
import { openTestStore, type TestStore } from '../support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('documents')
}, 60_000)
afterAll(() => store.close())

const SOURCE = 'jaeger-json'

/** A trace of two spans: `caller` asks `callee` for `/a/<n>`. */
function trace(n: number, ids: { trace?: string; parent?: object } = {}) {
  const traceID = ids.trace ?? (0xabc000 + n).toString(16).padStart(32, '1')
  const span = (spanID: string, process: string, kind: string, more: object) => ({
    traceID,
    spanID,
    operationName: 'GET',
    startTime: 1_795_534_986_000_000 + n,
    duration: 10,
    tags: [
      { key: 'span.kind', type: 'string', value: kind },
      { key: 'http.method', type: 'string', value: 'GET' },
      { key: 'http.url', type: 'string', value: `http://callee/a/${n}?q=1` },
      { key: 'http.status_code', type: 'int64', value: 200 },
    ],
    logs: [],
    processID: process,
    ...more,
  })
  const parent = ids.parent ?? { references: [{ refType: 'CHILD_OF', traceID, spanID: '1a' }] }
  return {
    traceID,
    spans: [span('1a', 'p1', 'client', { references: [] }), span('2b', 'p2', 'server', parent)],
    processes: { p1: { serviceName: 'caller', tags: [] }, p2: { serviceName: 'callee', tags: [] } },
  }
}

const CALL = {
  source: 'caller',
  destination: 'callee',
  protocol: 'http',
  method: 'GET',
  path: '/a/{int}',
  flags: ['query'],
}

test('the sample: the calls that are in it', async () => {
  const expected = readFileSync(new URL('expected.jsonl', sourceDir(SOURCE)), 'utf8')
  const sample = readFileSync(new URL('samples/istio.json', sourceDir(SOURCE)), 'utf8')
  await store.file(SOURCE, sample, 'sample')
  expect(await callsOf(store, 'sample')).toEqual(
    expected
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  )
})

const traces = Array.from({ length: 7 }, (_, n) => trace(n))
test.each<[string, string]>([
  ['one answer of the API', JSON.stringify({ data: traces, total: 0, errors: null })],
  ['one answer, indented, without a newline at its end', JSON.stringify({ data: traces }, null, 2)],
  ['a trace a line', traces.map((each) => JSON.stringify(each)).join('\n')],
  ['traces indented, one after another', traces.map((each) => JSON.stringify(each, null, 4)).join('\n')],
  ['a list', JSON.stringify(traces)],
  ['an indented list', JSON.stringify(traces, null, 1)],
  [
    'answers with carriage returns',
    traces
      .map((each) => `${JSON.stringify({ data: [each] }, null, 2)}\n`)
      .join('')
      .replaceAll('\n', '\r\n'),
  ],
])('%s', async (name, text) => {
  expect(await store.file(SOURCE, text, name)).toMatchObject({ read: 14, accepted: 14, rejected: 0 })
  expect(await callsOf(store, name)).toEqual([{ ...CALL, requests: 7 }])
  expect(await store.request(SOURCE, text, { cluster: `${name} request` })).toMatchObject({ accepted: 14 })
})

test('parents in the other ways of writing them, and ids without their leading zeros', async () => {
  const lines = [
    trace(1, { trace: 'abc', parent: { parentSpanID: '1a' } }),
    trace(2, { trace: 'abd', parent: { references: [{ refType: 'FOLLOWS_FROM', traceID: 'abd', spanID: '1a' }] } }),
    trace(3, { trace: `${'0'.repeat(29)}abe`, parent: { parentSpanID: '000000000000001a' } }),
  ]
  await store.file(SOURCE, lines.map((each) => JSON.stringify(each)).join('\n'), 'parents')
  expect(await callsOf(store, 'parents')).toEqual([{ ...CALL, requests: 3 }])
})

test('what stands between documents, and a document that is cut, harm none of the others', async () => {
  const good = JSON.stringify(trace(1))
  const pretty = JSON.stringify(trace(2), null, 2)
  const parts = [
    good,
    'a word',
    good.slice(0, 200),
    JSON.stringify(trace(3)),
    pretty.slice(0, 300),
    pretty,
    '{}',
    '[]',
    '{"traces":[{"traceID":"1"}]}',
  ]
  const result = await store.file(SOURCE, `${parts.join('\n')}\n`, 'damaged')
  expect(result.accepted).toBe(6)
  expect(await rejectsOf(store, 'damaged')).toEqual([
    'json_cut',
    'json_cut',
    'no_spans',
    'no_spans',
    'not_json',
    'search_result',
  ])
})

test('a chunk ends where a document does, whatever the chunk’s size', async () => {
  const text = Buffer.from(traces.map((each) => JSON.stringify(each, null, 2)).join('\n'))
  async function* bytes() {
    for (let at = 0; at < text.length; at += 1000) yield text.subarray(at, at + 1000)
  }
  const found: string[] = []
  for await (const chunk of chunks(bytes(), cutDocuments, 0, 5000)) found.push(chunk.bytes.toString())
  expect(found.join('')).toBe(text.toString())
  expect(found.length).toBeGreaterThan(2)
  for (const chunk of found) expect(chunk.startsWith('{')).toBe(true)
})

test('what is stored and what is rejected of a document is counted for its own format, not for the one it is brought to', async () => {
  const whole = JSON.stringify({ data: [trace(901), trace(902, { trace: '0'.repeat(32) })] })
  await store.file(SOURCE, whole, 'formats')
  await store.file(SOURCE, '{"data": 7', 'formats')
  const of = (table: string, what: string) =>
    store.rows(`SELECT source_format, ${what} AS n FROM ${table} WHERE cluster = 'formats' GROUP BY source_format`)
  expect(await of('ingest_batch', 'sum(accepted)')).toEqual([{ source_format: SOURCE, n: 2 }])
  expect(await of('rejected_line', 'count()')).toEqual([{ source_format: SOURCE, n: 3 }])
})
