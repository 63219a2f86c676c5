import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestStore, type TestStore } from '../support.ts'
import { type Entry, type Fields, httpEntry, message, pair, stream, type Value } from './encode.ts'
import { otlpJson, sampleOf } from './recorded.ts'

/** Another one each time with `CINCH_FUZZ_SEED=$RANDOM`; a failure prints the bytes. */
const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 11)
const RUNS = Number(process.env['CINCH_FUZZ_RUNS'] ?? 1)

let store: TestStore
let batches = 0
beforeAll(async () => {
  store = await openTestStore('hostile-envoy')
}, 60_000)
afterAll(() => store.close())

const attribute = (key: string, text: string): Fields => [
  [1, key],
  [2, [[1, text]]],
]
/** One element of an `ExportLogsServiceRequest` with these records. */
const logs = (records: Fields[], resource: Fields = []) =>
  message([
    [
      1,
      [
        [1, resource],
        [2, records.map((record) => [2, record] as [number, Fields])],
      ],
    ],
  ])
const keyed = (keys: Record<string, string>): Fields =>
  Object.entries(keys).map(([key, text]) => [6, attribute(key, text)] as [number, Fields])
const GOOD_KEYS = {
  start_time: '2026-11-24T15:52:17.130Z',
  method: 'GET',
  path: '/good',
  original_path: '-',
  upstream_cluster: 'inbound|8080||',
  user_agent: 'good',
  response_code: '200',
}
const TEXT: Fields = [[5, [[1, '[2026-11-24T15:52:17.130Z] "GET / HTTP/1.1" 200 -']]]]
const GOOD = {
  'envoy-als': stream([httpEntry({ path: '/good', userAgent: 'good' })]),
  'otlp-logs': logs([keyed(GOOD_KEYS)]),
}

/** What happens to a message on its way: bytes changed, put in, taken out. */
function damaged(bytes: Buffer): fc.Arbitrary<Buffer> {
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(5), fc.uint8Array({ maxLength: 6 }))
  return fc
    .array(change, { minLength: 1, maxLength: 4 })
    .map((changes) =>
      changes.reduce(
        (whole, [at, cut, insert]) => Buffer.concat([whole.subarray(0, at), insert, whole.subarray(at + cut)]),
        bytes,
      ),
    )
}

const framed = (content: Buffer) => message([[1, content]])

/** Ingests the messages with a good one between each two: all good ones are facts, and each other is a fact or a reject. */
async function expectEachAccountedFor(id: keyof typeof GOOD, bad: Buffer[]): Promise<void> {
  const cluster = `batch ${++batches}`
  const bytes = Buffer.concat(bad.flatMap((content) => [GOOD[id], framed(content)]))
  const result = await store.file(id, bytes, cluster)
  const [stored] = await store.rows(
    `SELECT (SELECT count() FROM request WHERE cluster = {cluster:String}) AS facts,
       (SELECT countIf(path = '/good' AND user_agent = 'good') FROM request WHERE cluster = {cluster:String}) AS good,
       (SELECT count() FROM rejected_line WHERE cluster = {cluster:String}) AS rejects,
       (SELECT countIf(reason = '') FROM rejected_line WHERE cluster = {cluster:String}) AS unreasoned`,
    { cluster },
  )
  expect(stored).toMatchObject({ facts: result.accepted, rejects: result.rejected, unreasoned: 0 })
  expect(stored?.['good']).toBeGreaterThanOrEqual(bad.length)
  // A message may hold several entries or none; none is a reject, too.
  expect(result.read).toBeGreaterThanOrEqual(2 * bad.length)
  expect(store.spooled()).toEqual([])
}

const contentOf = (element: Buffer) => element.subarray(element.length > 129 ? 3 : 2)

describe.each(['envoy-als', 'otlp-logs'] as const)('%s: damaged messages', (id) => {
  const elements = {
    'envoy-als': [GOOD['envoy-als'], stream([httpEntry({ path: '/a' }), httpEntry({ path: '/b' })], 'tcp')],
    'otlp-logs': [GOOD['otlp-logs'], logs([TEXT])],
  }[id]

  test('are each a fact or a reject, and harm no neighbour', async () => {
    const content = fc.oneof(
      ...elements.map((element) => damaged(contentOf(element))),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(content, { minLength: 4, maxLength: 4 }), (bad) => expectEachAccountedFor(id, bad)),
      { seed: SEED, numRuns: RUNS, endOnFailure: true },
    )
  }, 300_000)

  test('and a sample that is cut anywhere loses only what was cut', async () => {
    const sample = sampleOf(id, id === 'envoy-als' ? 'recommended.binpb' : 'istio-text.binpb')
    const cluster = `cut ${id}`
    const cut = await store.file(id, sample.subarray(0, Math.floor(sample.length * 0.7)), cluster)
    expect(cut.accepted).toBeGreaterThan(0)
    expect(cut.rejected).toBe(1)
  }, 60_000)
})

describe('otlp-logs: what is no access log', () => {
  const reasons = async (cluster: string) =>
    (
      await store.rows('SELECT reason FROM rejected_line WHERE cluster = {cluster:String} ORDER BY reason', { cluster })
    ).map(({ reason }) => reason)

  test('is a reject that says why: applications’ logs, other containers, cut lines', async () => {
    const body = (text: string): Fields => [[5, [[1, text]]]]
    const records = [
      body('order 17 was paid'),
      body(''),
      [[5, [[1, 'x']]], ...keyed({ 'http.request.method': 'GET', 'url.path': '/a' })] as Fields,
      body('[2026-11-24T15:52:17.130Z] "GET / HTTP/1.1" 200'),
      body('{"start_time":"2026-11'),
      body('{"level":"info"}'),
      keyed({ ...GOOD_KEYS, start_time: 'soon' }),
      body(`[${'x'.repeat(300_000)}`),
    ]
    const application: Fields = [[1, attribute('k8s.container.name', 'orders')]]
    const bytes = Buffer.concat([logs(records), logs([keyed(GOOD_KEYS)], application), logs([])])
    expect(await store.request('otlp-logs', bytes, { cluster: 'others' })).toMatchObject({ accepted: 0, rejected: 10 })
    expect(await reasons('others')).toEqual(
      [
        ...['not_an_access_log', 'no_log_records', 'not_an_access_log', 'line_cut', 'json_cut', 'no_start_time'],
        ...['bad_time', 'line_too_long', 'not_a_proxy_container', 'no_log_records'],
      ].sort(),
    )
  })

  test('JSON lines that are none are rejects, and their neighbours are facts', async () => {
    const good = otlpJson('reports', 'attributes')
    const bad = ['{"resourceLogs":[', 'text', '{"resourceSpans":[]}', '[]', '{"resourceLogs":{"a":1}}', 'ÿ']
    const lines = bad.flatMap((line) => [good, line])
    const facts = (await store.file('otlp-logs', good, 'json good')).accepted
    const result = await store.file('otlp-logs', `${lines.join('\n')}\n`, 'json bad')
    expect(result).toMatchObject({ accepted: facts * bad.length, rejected: bad.length })
  })
})

describe('secrets', () => {
  const MARK = 'q7Zk'
  const secret = () => MARK + randomBytes(24).toString('hex')
  const paths = () => [`/a?access_token=${secret()}&x=1`, `/b#id_token=${secret()}`, `/c;jsessionid=${secret()}/d`]

  /** An entry with a secret wherever Envoy can be told to put one. */
  const carrying = (path: string, more: Entry = {}) => {
    const field = (name: string, value: Value): Fields => [[1, pair(name, value)]]
    const claims = [...field('sub', [[3, 'alice']]), ...field('raw', [[3, secret()]])]
    const jwt = field('envoy.filters.http.jwt_authn', field('payload', [[5, claims]]))
    return httpEntry({
      ...more,
      path,
      common: [
        [17, jwt],
        [22, pair('token', secret())],
      ],
      request: [
        [7, `https://a.example/?token=${secret()}`],
        [13, pair('authorization', `Bearer ${secret()}`)],
        [13, pair('cookie', `id=${secret()}`)],
      ],
    })
  }
  const expectNowhere = async () => {
    const tables = await store.rows<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'`,
    )
    expect(tables.length).toBeGreaterThan(5)
    for (const { name } of tables) {
      const rows = (await store.rows(`SELECT * FROM ${name}`)).map((row) => JSON.stringify(row))
      expect(
        rows.filter((row) => row.includes(MARK)),
        name,
      ).toEqual([])
    }
  }

  test('of paths, headers, tags and claims of entries are in no table', async () => {
    const entries = [
      ...paths().map((path) => carrying(path)),
      ...paths().map((path) => carrying(path, { seconds: 12 })),
    ]
    const result = await store.request('envoy-als', stream(entries), { cluster: 'als' })
    expect(result).toMatchObject({ accepted: 3, rejected: 3 })
    await expectNowhere()
    const subjects = await store.rows(`SELECT DISTINCT user_subject FROM request WHERE cluster = 'als'`)
    expect(subjects).toEqual([{ user_subject: 'alice' }])
  })

  test('of log records are in no table', async () => {
    const keys = (path: string) => ({ ...GOOD_KEYS, path, original_path: path, authorization: `Bearer ${secret()}` })
    const good = paths().map((path) => keyed({ ...keys(path), cookie: secret() }))
    const refused = paths().map((path) => keyed({ ...keys(path), start_time: 'x' }))
    const application = [`login password=${secret()}`, `authorization: Bearer ${secret()}`].map(
      (text): Fields => [[5, [[1, text]]]],
    )
    const result = await store.request('otlp-logs', logs([...good, ...refused, ...application]), { cluster: 'logs' })
    expect(result).toMatchObject({ accepted: 3, rejected: 5 })
    await expectNowhere()
  })
})
