import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { samplesOf } from './facts.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('secrets')
}, 60_000)
afterAll(() => store.close())

/** A mark that no redaction knows and that is in no line otherwise: what is searched for afterwards. */
const MARK = 'q7Zk'
const opaque = (bytes: number) => MARK + randomBytes(bytes).toString('hex')
const jwt = () =>
  [
    'eyJhbGciOiJSUzI1NiJ9',
    `eyJ${MARK}${randomBytes(40).toString('base64url')}`,
    MARK + randomBytes(30).toString('base64url'),
  ].join('.')

/** Ways in which a secret stands in a line, each with its own secrets. */
const CARRIED: [string, () => string][] = [
  ['query', () => `/a?access_token=${opaque(8)}&page=2`],
  ['encoded query', () => `/login%3Fcode=${opaque(8)}`],
  ['fragment', () => `/cb#id_token=${opaque(9)}`],
  ['bearer', () => `authorization: Bearer ${opaque(12)}`],
  ['bearer with a JWT', () => `Authorization: bearer ${jwt()}`],
  ['basic', () => `authorization=Basic ${Buffer.from(`user:${MARK}${MARK}`).toString('base64')}${MARK}==`],
  ['JSON header', () => `"authorization":"Bearer ${opaque(10)}"`],
  ['escaped JSON header', () => `\\"x-api-key\\":\\"${opaque(10)}\\"`],
  ['cookies', () => `cookie: theme=dark; PHPSESSID=${opaque(10)}; other=${opaque(4)}`],
  ['set-cookie', () => `"set-cookie":"id=${opaque(6)}; Path=/"`],
  ['JWT in a path', () => `/reset/${jwt()}/done`],
  ['password', () => `password=${opaque(4)}`],
  ['client secret', () => `client_secret: '${opaque(5)}'`],
  ['userinfo', () => `https://user:${opaque(5)}@host/path`],
  ['session in a path', () => `/shop;jsessionid=${opaque(8)}/cart`],
  ['opaque', () => `x ${opaque(24)}`],
]

/** Broken lines around a secret: each is rejected by every line source. */
const BROKEN: [string, (text: string) => string][] = [
  ['bare', (text) => text],
  ['cut JSON', (text) => `{"start_time":"2026-11-22T18:46:18.778Z","path":"${text}`],
  ['cut text', (text) => `[2026-11-22T18:46:18.778Z] "GET ${text}`],
  ['CRI', (text) => `2025-01-30T12:10:13.682034460Z stdout F ${text}`],
  ['shipper', (text) => JSON.stringify({ log: `GET ${text}`, kubernetes: { pod_name: 'a' } })],
  ['far behind', (text) => `${'word '.repeat(60)}${text}`],
  ['over the cut', (text) => `${'word '.repeat(810)}${text}`],
  ['over the cut after a long query', (text) => `/a?${'x'.repeat(4060)} ${text}`],
]

async function holding(table: string): Promise<string[]> {
  const rows = await store.rows<Record<string, unknown>>(`SELECT * FROM ${table}`)
  return rows.map((row) => JSON.stringify(row)).filter((text) => text.includes(MARK))
}

describe.each([
  'istio-json',
  'istio-text',
  'envoy-text',
  'otlp-traces',
  'ztunnel',
  'linkerd',
  'hubble',
  'nginx',
  'haproxy',
  'kubernetes-audit',
  'jaeger-json',
  'okta',
  'keycloak',
])('rejects of %s', (id) => {
  test('hold no secret, in any column', async () => {
    const lines = BROKEN.flatMap(([, broken]) => CARRIED.map(([, secret]) => broken(secret().replaceAll('\n', ''))))
    const result = await store.file(id, lines.join('\n'), id)
    expect(result).toMatchObject({ accepted: 0, rejected: lines.length })
    expect(await holding('rejected_line')).toEqual([])
    expect(await holding('ingest_batch')).toEqual([])
  })

  test('stay readable: what is no secret is kept', async () => {
    await store.file(
      id,
      'level=info ts=2026-11-22 msg="listening on 0.0.0.0:8080" service=orders path=/orders/17',
      `${id} plain`,
    )
    const [row] = await store.rows<{ line: string }>(
      'SELECT line FROM rejected_line WHERE cluster = {cluster:String}',
      { cluster: `${id} plain` },
    )
    expect(row?.line).toBe('level=info ts=2026-11-22 msg="listening on 0.0.0.0:8080" service=orders path=/orders/17')
  })
})

describe('facts', () => {
  const jsonLine = (changes: Record<string, unknown>) =>
    JSON.stringify({
      ...JSON.parse(
        samplesOf('istio-json')
          .find(({ name }) => name === 'recommended-callee.log:1')!
          .bytes.toString(),
      ),
      ...changes,
    })

  test('hold no query, token, cookie or session id, in any column', async () => {
    const lines = [
      jsonLine({ path: `/a?token=${opaque(8)}`, original_path: `/b?sig=${opaque(8)}#x=${opaque(3)}` }),
      jsonLine({ path: `/shop;jsessionid=${opaque(8)}/cart`, original_path: `/o;SID=${opaque(3)}` }),
      jsonLine({ path: `/reset/${jwt()}`, original_path: `/verify/${jwt()}/x` }),
      jsonLine({ authority: `user:${opaque(4)}@orders.shop` }),
      jsonLine({ authorization: `Bearer ${jwt()}`, cookie: `a=${opaque(4)}`, 'x-api-key': opaque(9) }),
      jsonLine({ jwt: { sub: 'alice', token: opaque(9), payload: { sub: 'bob', raw: jwt() } } }),
    ]
    expect(await store.file('istio-json', lines.join('\n'), 'facts')).toMatchObject({
      accepted: lines.length,
      rejected: 0,
    })
    for (const table of [
      'request',
      'edge',
      'operation_usage',
      'operation_usage_day',
      'operation_week',
      'edge_usage_hour',
      'edge_usage_day',
      'user_activity',
      'ingest_batch',
      'rejected_line',
    ])
      expect(await holding(table)).toEqual([])
    const paths = await store.rows(
      `SELECT path, shape, authority, user_subject FROM request WHERE cluster = 'facts' ORDER BY path, user_subject`,
    )
    expect(paths.map(({ path }) => path)).toEqual([
      '/a',
      '/orders/42',
      '/orders/42',
      '/orders/42',
      '/reset/{jwt}',
      '/shop;jsessionid=/cart',
    ])
    expect(paths.map(({ authority }) => authority)).toContain('orders.shop')
  })

  test('nothing is left in the spool, and the spool is its owner’s alone', async () => {
    expect(store.spooled()).toEqual([])
  })
})
