import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestStore, type TestStore } from '../support.ts'
import { type Fields, httpEntry, internal, pair, pipe, socket, stream } from './encode.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('als')
}, 60_000)
afterAll(() => store.close())

const rows = async (columns: string, cluster: string) =>
  await store.rows(`SELECT ${columns} FROM request WHERE cluster = {cluster:String} ORDER BY path`, { cluster })
const reasons = async (cluster: string) =>
  (
    await store.rows('SELECT reason FROM rejected_line WHERE cluster = {cluster:String} ORDER BY reason', { cluster })
  ).map(({ reason }) => reason)

test('each response flag by the name that Envoy writes', async () => {
  // Envoy's documentation of %RESPONSE_FLAGS% beside the field numbers of ResponseFlags; 13 is a message with a reason.
  const names =
    'LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UMSDR RFCF NFCF DT UPE NC OM DF DR'.split(' ')
  const flag = (id: number): Fields => [[id, id === 13 ? [[1, 1]] : 1]]
  const entries = names.map((_, at) =>
    httpEntry({ path: `/${String(at).padStart(2, '0')}`, common: [[16, flag(at + 1)]] }),
  )
  const two = httpEntry({ path: '/x', common: [[16, [...flag(6), ...flag(16)]]] })
  await store.request('envoy-als', stream([...entries, two]), { cluster: 'flags' })
  const stored = await rows('response_flags', 'flags')
  expect(stored.map(({ response_flags }) => response_flags)).toEqual([...names, 'UF,URX'])
})

test('addresses: IPv4, IPv6, a pipe, an internal listener, and none', async () => {
  const addresses: [Fields, string, number][] = [
    [socket('10.1.2.3', 80), '::ffff:10.1.2.3', 80],
    [socket('fd00::1', 8080), 'fd00::1', 8080],
    [pipe('/run/orders.sock'), '::', 0],
    [internal('connect_originate', '10.1.2.9:9090'), '::ffff:10.1.2.9', 9090],
    [[], '::', 0],
  ]
  const entries = addresses.map(([address], at) =>
    httpEntry({
      path: `/${at}`,
      common: [
        [13, address],
        [15, 'outbound|80||orders.shop.svc.cluster.local'],
      ],
    }),
  )
  await store.request('envoy-als', stream(entries), { cluster: 'addresses' })
  expect(await rows('toString(destination_address) AS address, workload_port AS port', 'addresses')).toEqual(
    addresses.map(([, address, port]) => ({ address, port })),
  )
})

/** A `google.protobuf.Value` and the fields of a `Struct`. */
const text = (value: string): Fields => [[3, value]]
const list = (...values: Fields[]): Fields => [[6, values.map((value) => [1, value] as Fields[number])]]
const struct = (fields: Record<string, Fields>): Fields => [[5, fieldsOf(fields)]]
const fieldsOf = (fields: Record<string, Fields>): Fields =>
  Object.entries(fields).map(([key, value]) => [1, pair(key, value)])

test('claims of one text or of many, under a name of their own beside other names', async () => {
  const id = { iss: text('https://id.example'), sub: text('alice') }
  const header = struct({ alg: text('RS256'), kid: text('k1') })
  const tokens: [Record<string, Fields>, string[], string[]][] = [
    [{ payload: struct({ ...id, groups: list(text('a'), text('b')), amr: list(text('pwd')) }) }, ['a', 'b'], ['pwd']],
    [{ payload: struct({ ...id, groups: text('staff'), amr: text('hwk') }) }, ['staff'], ['hwk']],
    [{ payload: struct({ ...id, groups: text('') }) }, [], []],
    [{ payload: struct({ ...id, groups: [[4, 1]] }) }, [], []],
    [{ a_header: header, corporate: struct({ ...id, groups: text('staff') }) }, ['staff'], []],
    [{ corporate: struct({ ...id, groups: list(text('staff')) }), header }, ['staff'], []],
    // Istio's name counts, whatever else stands beside it.
    [{ corporate: struct({ ...id, groups: text('x') }), payload: struct({ ...id, groups: text('y') }) }, ['y'], []],
  ]
  const entries = tokens.map(([named], at) =>
    httpEntry({ path: `/${at}`, common: [[17, [[1, pair('envoy.filters.http.jwt_authn', fieldsOf(named))]]]] }),
  )
  await store.request('envoy-als', stream(entries), { cluster: 'claims' })
  expect(await rows('user_issuer, user_subject, user_groups, amr', 'claims')).toEqual(
    tokens.map(([, user_groups, amr]) => ({
      ...{ user_issuer: 'https://id.example', user_subject: 'alice' },
      ...{ user_groups, amr },
    })),
  )
})

test('a client that says who it is in X-Forwarded-For is not the caller: the direct peer is', async () => {
  const entry = httpEntry({
    common: [
      [2, socket('203.0.113.9', 0)],
      [20, socket('10.0.0.7', 4711)],
    ],
    request: [[8, '203.0.113.9']],
  })
  await store.request('envoy-als', stream([entry]), { cluster: 'forwarded' })
  expect(
    await rows('toString(source_address) AS source, source_port, toString(client_address) AS client', 'forwarded'),
  ).toEqual([{ source: '::ffff:10.0.0.7', source_port: 4711, client: '::ffff:203.0.113.9' }])
})

test('types of entries become stages; what an upstream log tells is no request of its own', async () => {
  const start = [1, 4, 10, 11]
  const periodic = [2, 5, 12]
  const upstream = [7, 8, 9]
  const entries = Array.from({ length: 14 }, (_, type) =>
    httpEntry({ path: `/${String(type).padStart(2, '0')}`, common: [[33, type]] }),
  )
  const older = httpEntry({
    path: '/older',
    common: [
      [33, 0],
      [27, 1],
    ],
  })
  expect(await store.request('envoy-als', stream([...entries, older]), { cluster: 'types' })).toMatchObject({
    accepted: 12,
    rejected: 3,
  })
  const expected = Array.from({ length: 14 }, (_, type) => type)
    .filter((type) => !upstream.includes(type))
    .map((type) => (start.includes(type) ? 'start' : periodic.includes(type) ? 'periodic' : 'end'))
  expect((await rows('stage', 'types')).map(({ stage }) => stage)).toEqual([...expected, 'periodic'])
  expect(await reasons('types')).toEqual(upstream.map(() => 'upstream_entry'))
})

describe('names', () => {
  const named = async (cluster: string, node: Fields) => {
    await store.request('envoy-als', stream([httpEntry({})], 'http', node), { cluster })
    return await rows('destination_namespace AS namespace, destination_workload AS workload', cluster)
  }
  const metadata = (pairs: Record<string, string>): Fields => [
    [
      3,
      Object.entries(pairs).map(
        ([key, value]) =>
          [
            1,
            [
              [1, key],
              [2, [[3, value]]],
            ],
          ] as [number, Fields],
      ),
    ],
  ]

  test('from what istiod gives the proxy, else from its id, else none', async () => {
    const id: Fields = [[1, 'sidecar~10.0.0.8~web-0.front~front.svc.cluster.local']]
    const given = metadata({ NAMESPACE: 'shop', WORKLOAD_NAME: 'orders', NAME: 'x' })
    expect(await named('metadata', [...id, ...given])).toEqual([{ namespace: 'shop', workload: 'orders' }])
    expect(await named('id', id)).toEqual([{ namespace: 'front', workload: 'web' }])
    expect(await named('no node', [[1, 'envoy-1']])).toEqual([{ namespace: '', workload: '' }])
  })

  test('are what a sender is held to', async () => {
    const bytes = stream([httpEntry({})])
    const own = await store.request('envoy-als', bytes, { cluster: 'own', sender: 'a', speaksFor: '^shop/orders$' })
    expect(own).toMatchObject({ accepted: 1, rejected: 0 })
    const other = await store.request('envoy-als', bytes, { cluster: 'other', sender: 'b', speaksFor: '^bank/' })
    expect(other).toMatchObject({ accepted: 0, rejected: 1 })
    expect(await reasons('other')).toEqual(['sender_may_not'])
  })
})

const PEER: Fields = [
  [
    4,
    [
      [1, 4],
      [5, [[1, [[1, 'spiffe://cluster.local/ns/shop/sa/web']]]]],
    ],
  ],
]

test('a verified certificate is a verified caller, and the sender’s cap holds', async () => {
  const bytes = stream([httpEntry({ common: PEER })])
  await store.request('envoy-als', bytes, { cluster: 'peer' })
  await store.request('envoy-als', bytes, { cluster: 'capped', sender: 'app', evidenceCap: 'claimed' })
  const columns = 'source_principal, source_evidence, mtls'
  const caller = { source_principal: 'cluster.local/ns/shop/sa/web', mtls: 'yes' }
  expect(await rows(columns, 'peer')).toEqual([{ ...caller, source_evidence: 'verified' }])
  expect(await rows(columns, 'capped')).toEqual([{ ...caller, source_evidence: 'claimed' }])
})

test('plaintext is told, and names nobody', async () => {
  await store.request('envoy-als', stream([httpEntry({ common: [[20, socket('10.0.0.7', 4711)]] })]), {
    cluster: 'plain',
  })
  expect(await rows('source_principal, source_evidence, mtls', 'plain')).toEqual([
    { source_principal: '', source_evidence: 'none', mtls: 'no' },
  ])
})

test('dry runs of network RBAC are read from the metadata of connections', async () => {
  const shadow: Fields = [
    [
      1,
      [
        [1, 'shadow_engine_result'],
        [2, [[3, 'denied']]],
      ],
    ],
    [
      1,
      [
        [1, 'shadow_effective_policy_id'],
        [2, [[3, 'ns[shop]-policy[db]-rule[0]']]],
      ],
    ],
  ]
  const metadata: Fields = [
    [
      1,
      [
        [1, 'envoy.filters.network.rbac'],
        [2, shadow],
      ],
    ],
  ]
  const entry: Fields = [
    [
      1,
      [
        [5, [[1, 1_795_535_537]]],
        [15, 'inbound|5432||'],
        [17, metadata],
        [33, 3],
      ],
    ],
    [
      2,
      [
        [1, 7],
        [2, 9],
      ],
    ],
  ]
  await store.request('envoy-als', stream([entry], 'tcp'), { cluster: 'tcp' })
  expect(await rows('protocol, decision, decided_by, bytes_in, bytes_out', 'tcp')).toEqual([
    { protocol: 'tcp', decision: 'would_deny', decided_by: 'ns[shop]-policy[db]-rule[0]', bytes_in: 7, bytes_out: 9 },
  ])
})

test('what is no entry is a reject that says why', async () => {
  const empty = stream([])
  const timeless: Fields = [[3, [[5, '/a']]]]
  const long = httpEntry({ path: `/${'x'.repeat(20_000)}` })
  const binary = httpEntry({ path: Buffer.from([0x2f, 0xff, 0xfe]) })
  const huge = httpEntry({ userAgent: 'y'.repeat(300_000) })
  const early = httpEntry({ seconds: 12 })
  const bytes = Buffer.concat([empty, stream([timeless, long, binary, huge, early])])
  expect(await store.request('envoy-als', bytes, { cluster: 'odd' })).toMatchObject({ accepted: 0, rejected: 6 })
  expect(await reasons('odd')).toEqual([
    'line_too_long',
    'no_log_entries',
    'no_start_time',
    'not_utf8',
    'path_too_long',
    'time_too_old',
  ])
})

test('text is refused line by line', async () => {
  expect(await store.file('envoy-als', 'GET /a\n\n{"a":1}\n', 'text')).toMatchObject({ accepted: 0, rejected: 2 })
  expect(await reasons('text')).toEqual(['not_protobuf', 'not_protobuf'])
})
