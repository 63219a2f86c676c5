import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bindParams } from '../../services/store/embedded.ts'
import { openStore, query, type Store } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'

const room = scratch('embedded')
let store: Store
beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: room.path('store') })
})
afterAll(async () => {
  await store.close()
  room.close()
})

const HOSTILE = [
  '',
  "'",
  "''",
  "\\'",
  '\\',
  '\\\\',
  "'; DROP TABLE request; --",
  "\\'; SET param_other = 'x'; SELECT '",
  '{other:String}',
  '"`$@#?:%',
  'two\nlines\r\n\ttab',
  '\u0000',
  'before\u0000after',
  '\u0001\u001b\u007f\u0080\u009f',
  '\\N',
  '\\n',
  'null',
  'ünï\u{1f980}\u202e',
  '/* comment',
  '-- comment',
  'x'.repeat(100_000),
  "'".repeat(600_000),
]

/** The bytes that the engine has for the bound text, not what its output format makes of them. */
async function bytesOf(client: Store['reads'], text: string): Promise<string> {
  const [row] = await query<{ bytes: string }>(client, 'SELECT hex({text:String}) AS bytes', { text })
  return Buffer.from(row?.bytes ?? '', 'hex').toString('utf8')
}

describe('a bound text comes to the engine byte for byte', () => {
  test.each(HOSTILE.map((text) => [text.length > 40 ? `${text.slice(0, 10)}… (${text.length})` : text, text]))(
    '%j',
    async (_, text) => expect(await bytesOf(store.reads, text)).toBe(text),
  )

  test('whatever it is', async () => {
    const unit = fc.oneof(
      fc.constantFrom("'", '\\', '\u0000', '\n', ';', '{', '}', ':', 'n', 'x', '0'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(unit, { maxLength: 30 }), async (units) => {
        const text = units.join('')
        expect(await bytesOf(store.reads, text)).toBe(text)
      }),
      { numRuns: 150, seed: 3 },
    )
  })

  test('in a list too', async () => {
    const texts = HOSTILE.filter((text) => text.length < 100)
    const [row] = await query<{ bytes: string[] }>(
      store.reads,
      'SELECT arrayMap(text -> hex(text), {texts:Array(String)}) AS bytes',
      { texts },
    )
    expect(row?.bytes.map((bytes) => Buffer.from(bytes, 'hex').toString('utf8'))).toEqual(texts)
  })

  test('and numbers and truth as they are', async () => {
    const rows = await query(
      store.reads,
      'SELECT {n:Int64} AS n, {f:Float64} AS f, {b:Bool} AS b, {list:Array(UInt32)} AS list',
      {
        n: -9_007_199_254_740_991,
        f: 0.1,
        b: true,
        list: [1, 4_294_967_295],
      },
    )
    expect(rows).toEqual([{ n: -9_007_199_254_740_991, f: 0.1, b: true, list: [1, 4_294_967_295] }])
  })
})

test('queries at the same time on several connections never mix their values', async () => {
  const clients = [...store.ingest, store.jobs, store.reads]
  const asked = Array.from({ length: 200 }, (_, n) => ({
    client: clients[n % clients.length] ?? store.reads,
    text: `'${n}'\\`,
  }))
  const answers = await Promise.all(asked.map(({ client, text }) => bytesOf(client, text)))
  expect(answers).toEqual(asked.map(({ text }) => text))
})

test("reads do not wait for a slow one, and none has another one's values", async () => {
  const ended: string[] = []
  const slow = query(store.reads, 'SELECT sleep(2)').then(() => ended.push('slow'))
  const values = Array.from({ length: 40 }, (_, index) => `v${index}`)
  const read = await Promise.all(values.map(async (text) => await bytesOf(store.reads, text)))
  ended.push('others')
  await slow
  expect(read.filter((text, index) => text !== values[index])).toEqual([])
  expect(ended).toEqual(['others', 'slow'])
})

test('a value does not stay for the next statement of its connection to rely on', async () => {
  await bytesOf(store.reads, 'first')
  expect(await bytesOf(store.reads, 'second')).toBe('second')
})

test.each(['', 'A', '1a', 'a b', "a'", 'a;b', 'ä', 'a\n'])('%j is no name for a parameter', (name) => {
  expect(() => bindParams({ query: 'SELECT 1', query_params: { [name]: 'x' } })).toThrow(/no name/)
})

test('a statement without parameters is left as it is', () => {
  expect(bindParams({ query: 'SELECT 1' })).toEqual({ query: 'SELECT 1' })
})
