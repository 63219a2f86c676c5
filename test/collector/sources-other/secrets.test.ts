import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestStore, type TestStore } from '../support.ts'
import { linesAround } from './lines.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('other-secrets')
}, 60_000)
afterAll(() => store.close())

/** In no line otherwise: what is searched for afterwards. */
const MARK = 'q7Zk'
const opaque = (bytes: number) => MARK + randomBytes(bytes).toString('hex')
const jwt = () => `eyJhbGciOiJSUzI1NiJ9.eyJ${MARK}${randomBytes(30).toString('base64url')}.${MARK}${opaque(20)}`

const targets = () => [
  `/a?access_token=${opaque(6)}`,
  `/login?code=${opaque(3)}&next=%2F`,
  `/cb#id_token=${opaque(9)}`,
  `/shop;jsessionid=${opaque(8)}/cart`,
  `/reset/${jwt()}/done`,
  `http://user:${opaque(4)}@orders.shop/a?x=${opaque(3)}`,
]

/** What any table holds of the mark. */
async function held(): Promise<string[]> {
  const tables = await store.rows<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'`,
  )
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['request', 'rejected_line', 'span']))
  const rows = await Promise.all(tables.map(({ name }) => store.rows(`SELECT * FROM ${name}`)))
  return rows
    .flat()
    .map((row) => JSON.stringify(row))
    .filter((text) => text.includes(MARK))
}

const lines = linesAround({ cookie: () => `sid=${opaque(8)}`, header: () => `Bearer ${jwt()}`, body: () => opaque(4) })

test.each(Object.keys(lines))(
  'facts of %s hold no query, token, cookie, body or session id, in any column',
  async (id) => {
    const texts = targets().flatMap((target) => lines[id]?.(target) ?? [])
    expect(texts.length).toBeGreaterThan(0)
    expect(texts.join('\n')).toContain(MARK)
    expect(await store.file(id, `${texts.join('\n')}\n`, id)).toMatchObject({ accepted: texts.length, rejected: 0 })
    expect(await held()).toEqual([])
    // Cut, not lost: the paths themselves are there.
    if (id === 'jaeger-json') return
    const paths = await store.rows<{ path: string }>(
      `SELECT DISTINCT path FROM request WHERE cluster = {cluster:String} ORDER BY path`,
      { cluster: id },
    )
    expect(paths.map(({ path }) => path)).toEqual([
      '/a',
      '/cb',
      '/login',
      '/reset/{jwt}/done',
      '/shop;jsessionid=/cart',
    ])
  },
)

test('bodies of an audit event that is rejected are not kept', async () => {
  const event = { kind: 'Event', apiVersion: 'audit.k8s.io/v1', verb: 'create', user: { username: 'a' } }
  const text = JSON.stringify({ ...event, requestObject: { data: { harmless: opaque(2) } }, responseObject: opaque(2) })
  const wrapped = JSON.stringify({ log: `${text}\n`, kubernetes: { pod_name: 'a' } })
  expect(await store.file('kubernetes-audit', `${text}\n${wrapped}\n`, 'bodies')).toMatchObject({ rejected: 2 })
  const rejected = await store.rows<{ line: string }>(`SELECT line FROM rejected_line WHERE cluster = 'bodies'`)
  expect(rejected.every(({ line }) => line.includes('audit.k8s.io'))).toBe(true)
  expect(await held()).toEqual([])
})
