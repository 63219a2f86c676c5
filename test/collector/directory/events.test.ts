import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { directory } from '../../../services/api/directory.ts'
import type { Backend } from '../../../services/cli/backend.ts'
import { directoryCommand } from '../../../services/cli/commands/directory.ts'
import { parseArguments } from '../../../services/cli/options.ts'
import { SOURCES } from '../../../services/collector/sources/index.ts'
import { awkward, mutated, mutatedJson } from '../mutate.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { eventsOf, expectedRows, sampleLines } from './rows.ts'

/** Another one each time with `CINCH_FUZZ_SEED=$RANDOM`; a failure prints the lines. */
const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 7)

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('directory')
}, 60_000)
afterAll(() => store.close())

const sources = SOURCES.filter(({ yields }) => yields === 'directory').map(({ id }) => id)
const inOrder = (rows: Record<string, unknown>[]) => rows.map((row) => JSON.stringify(row)).sort()

describe.each(sources)('%s', (id) => {
  const lines = sampleLines(id)
  const expected = expectedRows(id)
  const rejects = expected.filter((row) => 'reject' in row)
  const events = expected.filter((row) => !('reject' in row)).map(({ line: _, ...row }) => row)

  test('each line of the samples is the events that it means, or a reject', async () => {
    const text = lines.map(({ line }) => `${line}\n`).join('')
    expect(await store.file(id, text, id)).toMatchObject({ accepted: events.length, rejected: rejects.length })
    expect(inOrder(await eventsOf(store, id))).toEqual(inOrder(events))
    const reasons = await store.rows<{ reason: string }>(
      'SELECT reason FROM rejected_line WHERE cluster = {id:String}',
      { id },
    )
    expect(reasons.map(({ reason }) => reason).sort()).toEqual(rejects.map((row) => row['reject']).sort())
    // Again, as a page of an API, and as a shipper wraps them: the same events, there once.
    const json = lines.filter(({ name, line }) => line.startsWith('{') && !rejects.some((row) => row.line === name))
    await store.request(id, `{"value":[${json.map(({ line }) => line).join(',')}]}`, { cluster: id })
    await store.request(id, text.replaceAll('\n', '\r\n\r\n'), { cluster: id })
    const wrapped = json.map(({ line }) => JSON.stringify({ log: `${line}\n`, kubernetes: { container_name: 'idp' } }))
    await store.request(id, wrapped.join('\n'), { cluster: id })
    expect(inOrder(await eventsOf(store, id))).toEqual(inOrder(events))
  })

  test('any bytes are events or rejects with a reason, and harm no neighbour', async () => {
    const good = lines.find(({ name }) => name === expected.find((row) => !('reject' in row))?.line)?.line ?? ''
    const bytes = lines.map(({ line }) => Buffer.from(line))
    const objects = bytes.filter((line) => line[0] === 0x7b)
    const hostile = fc.sample(fc.oneof(mutated(bytes), mutatedJson(objects), mutatedWithin(objects)), {
      seed: SEED,
      numRuns: 200,
    })
    const all = [...hostile, ...awkward(Buffer.from(good))].filter(
      (line) => line.length > 0 && !(line.length === 1 && line[0] === 0x0d),
    )
    const cluster = `${id} hostile`
    const text = Buffer.concat(
      all.flatMap((line) => [Buffer.from(good), line]).flatMap((line) => [line, Buffer.from('\n')]),
    )
    const result = await store.file(id, text, cluster)
    const [stored] = await store.rows<{ events: number; rejects: number; unreasoned: number; longest: number }>(
      `SELECT (SELECT sum(accepted) FROM ingest_batch WHERE cluster = {cluster:String}) AS events, (SELECT count() FROM rejected_line WHERE cluster = {cluster:String}) AS rejects,
         (SELECT countIf(reason = '') FROM rejected_line WHERE cluster = {cluster:String}) AS unreasoned, (SELECT max(length(line)) FROM rejected_line WHERE cluster = {cluster:String}) AS longest`,
      { cluster },
    )
    expect(result.accepted + result.rejected).toBeGreaterThanOrEqual(all.length * 2)
    expect(result.accepted).toBeGreaterThanOrEqual(all.length)
    expect(stored).toMatchObject({ events: result.accepted, rejects: result.rejected, unreasoned: 0 })
    expect(stored?.longest).toBeLessThanOrEqual(512)
    expect(await eventsOf(store, cluster)).toContainEqual(
      (await eventsOf(store, id)).find((row) => row['at'] === expected[0]?.['at']),
    )
  }, 60_000)
})

/** Objects whose values are other types one level down, deep and wide ones among them. */
function mutatedWithin(lines: Buffer[]): fc.Arbitrary<Buffer> {
  const values = [
    [],
    {},
    null,
    7,
    'x',
    [[1]],
    ['a', { b: 1 }],
    { a: { a: { a: [] } } },
    'y'.repeat(30_000),
    Array(500).fill({ type: 't' }),
  ]
  return fc.tuple(fc.constantFrom(...lines), fc.nat(1000), fc.constantFrom(...values)).map(([line, at, value]) => {
    const event = JSON.parse(String(line)) as Record<string, Record<string, unknown>>
    const inner = Object.keys(event).filter((key) => typeof event[key] === 'object' && event[key] !== null)
    const object = event[inner[at % Math.max(1, inner.length)] ?? ''] ?? (event as Record<string, unknown>)
    const keys = Object.keys(object)
    object[keys[at % Math.max(1, keys.length)] ?? 'a'] = value
    return Buffer.from(JSON.stringify(event))
  })
}

test('a sender speaks for its own workloads only', async () => {
  const [sample] = sampleLines('keycloak')
  const line = JSON.stringify({
    log: `${sample?.line}\n`,
    kubernetes: { namespace_name: 'iam', pod_name: 'keycloak-0' },
  })
  expect(await store.request('keycloak', line, { sender: 'iam', cluster: 'own', speaksFor: '^iam/' })).toMatchObject({
    accepted: 1,
  })
  expect(
    await store.request('keycloak', line, { sender: 'shop', cluster: 'foreign', speaksFor: '^shop/' }),
  ).toMatchObject({ rejected: 1 })
  expect(
    await store.request('keycloak', String(sample?.line), { sender: 'x', cluster: 'bare', speaksFor: '^shop/' }),
  ).toMatchObject({ rejected: 1 })
})

test('sessions and tokens are the same hash wherever they stand, and not the hash that anybody can make', async () => {
  const rows = await store.rows<{ kind: string; value: string; events: number }>(
    `SELECT c.kind AS kind, c.value AS value, uniqExact(event_id) AS events FROM directory_event FINAL ARRAY JOIN correlations AS c
     WHERE cluster = 'entra' AND kind IN ('session', 'token') GROUP BY kind, value`,
  )
  expect(rows.map(({ kind, events }) => [kind, events]).sort()).toEqual([
    ['session', 2],
    ['token', 2],
  ])
  expect(rows.every(({ value }) => /^[0-9a-f]{32}$/.test(value))).toBe(true)
  const [guess] = await store.rows<{ value: string }>(
    `SELECT substring(lower(hex(HMAC('sha256', '5e551000-0000-4000-8000-000000000001', ''))), 1, 32) AS value`,
  )
  expect(rows.map(({ value }) => value)).not.toContain(guess?.value)
})

test('the list counts an event once by whatever ways it came, and finds it by actor and by target', async () => {
  const window = {
    since: '2026-11-20T09:00:00Z',
    until: '2026-11-20T10:00:00Z',
    source: 'entra',
    category: 'change' as const,
  }
  const answer = await directory(store.store, { ...window, about: 'bob@shop.example' })
  const added = answer.events.filter(({ event_id }) => event_id === 'Directory_5f1c_1')
  // The hostile lines of before say other things under the same id, and are kept beside it.
  expect(new Set(added.map((event) => JSON.stringify(event))).size).toBe(added.length)
  expect(added).toContainEqual(
    expect.objectContaining({
      actor_name: 'alice@shop.example',
      actor_address: '203.0.113.9',
      changes: [{ attribute: 'Group.DisplayName', old: '', new: '"payments-admins"' }],
    }),
  )
  expect((await directory(store.store, { ...window, about: 'alice@shop.example', limit: 1 })).events).toHaveLength(1)
  expect(await directory(store.store, { ...window, about: 'nobody' })).toMatchObject({ events: [], left_out: 0 })
  const commanded = await runWith({ directory: async (asked) => await directory(store.store, asked) }, [
    '--about',
    'bob@shop.example',
    '--category',
    'change',
  ])
  expect(commanded).toMatch(
    /entra +change +Add member to group +success +alice@shop.example +203.0.113.9 +User bob@shop.example/,
  )
})

/** What the command prints with a backend that has this use only. */
async function runWith(backend: Pick<Backend, 'directory'>, args: string[]): Promise<string> {
  const printed: string[] = []
  const context = {
    args: parseArguments(args, directoryCommand.options, 'directory'),
    backend: async () => backend as Backend,
    print: (text: string) => printed.push(text),
  }
  await directoryCommand.run(context as never)
  return printed.join('\n')
}

/** In no line otherwise: what is searched for afterwards. */
const MARK = 'q7Zk'

test('no table holds a password, a token, a session or a query, in whatever place an event has it', async () => {
  const [sample] = sampleLines('okta')
  const event = JSON.parse(String(sample?.line)) as Record<string, unknown>
  const jwt = `eyJhbGciOiJSUzI1NiJ9.eyJ${MARK}x.${MARK}y`
  const inText = {
    password: `${MARK}"quoted\\`,
    credentials: [{ type: 'password', temporary: false, value: MARK }],
    deep: JSON.stringify({ client_secret: MARK }),
  }
  const placed: Record<string, unknown>[] = [
    {
      password: MARK,
      clientSecret: MARK,
      client_secret: `${MARK} ${MARK}`,
      accessToken: MARK,
      api_key: MARK,
      Cookie: `a=b; sid=${MARK}`,
    },
    {
      authorization: `Bearer ${MARK}abcdefgh`,
      note: `sent Bearer ${MARK}abcdefgh and SSWS ${MARK}abcdefgh`,
      url: `https://user:${MARK}@host/a?x=1&code=${MARK}#access_token=${MARK}`,
    },
    { text: jwt, list: [jwt, { otp: 123456, refresh_token: [MARK, `${MARK}"`] }], sessionId: MARK, 'sessionId ': MARK },
    {
      modifiedProperties: [{ displayName: 'Password', oldValue: MARK, newValue: MARK }],
      pairs: [
        { Name: 'SessionId', Value: MARK },
        { value: MARK, key: 'client_secret' },
      ],
    },
    {
      representation: JSON.stringify(inText),
      pem: `-----BEGIN RSA PRIVATE KEY-----\n${MARK}\n-----END RSA PRIVATE KEY-----`,
    },
    {
      authenticationContext: { externalSessionId: MARK },
      transaction: { id: 't', detail: { requestApiTokenId: MARK.toLowerCase() } },
    },
    {
      target: [{ type: 'URL', id: `/a?token=${MARK}`, displayName: jwt }],
      outcome: { result: 'FAILURE', reason: `token=${MARK} at /x?code=${MARK}` },
    },
  ]
  const lines = placed.map((more, index) =>
    JSON.stringify({ ...event, ...more, uuid: String(index), debugContext: { debugData: more } }),
  )
  expect(await store.file('okta', `${lines.join('\n')}\n`, 'secrets')).toMatchObject({
    accepted: lines.length,
    rejected: 0,
  })
  const representation = JSON.stringify(inText)
  const admin = {
    time: 1795165260000,
    realmId: 'shop',
    operationType: 'UPDATE',
    resourceType: 'USER',
    resourcePath: 'users/1',
    representation,
    authDetails: { userId: 'a' },
  }
  expect(await store.file('keycloak', `${JSON.stringify(admin)}\n`, 'secrets')).toMatchObject({ accepted: 1 })
  for (const table of ['directory_event', 'rejected_line', 'ingest_batch']) {
    const rows = await store.rows(`SELECT * FROM ${table}`)
    expect(rows.map((row) => JSON.stringify(row)).filter((row) => row.includes(MARK))).toEqual([])
  }
  const kept = await store.rows<{ event: string }>(`SELECT event FROM directory_event WHERE cluster = 'secrets'`)
  for (const { event: text } of kept) expect(() => JSON.parse(text)).not.toThrow()
})
