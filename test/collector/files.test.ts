import { appendFileSync, copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Generated, generateText } from './lines.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('input')
}, 60_000)
afterAll(() => store.close())

const SOURCE = 'istio-text'
const at = (name: string) => join(store.dir, name)
const counts = ({ accepted, rejected }: { accepted: number; rejected: number }) => ({ accepted, rejected })

/** Writes `generated` as a new file; half of its bytes end in the middle of a line. */
function write(name: string, generated: Generated): { path: string; half: number } {
  const path = at(name)
  writeFileSync(path, generated.text)
  return { path, half: generated.text.lastIndexOf('\n', generated.text.length / 2) + 100 }
}

async function facts(cluster: string): Promise<{ facts: number; rejects: number; operations: number; edges: number }> {
  const [row] = await store.rows<{ facts: number; rejects: number; operations: number; edges: number }>(
    `SELECT (SELECT count() FROM request WHERE cluster = {cluster:String}) AS facts, (SELECT count() FROM rejected_line WHERE cluster = {cluster:String}) AS rejects,
       (SELECT sum(requests) + sum(denied) FROM operation_usage WHERE edge IN (SELECT edge FROM edge WHERE cluster = {cluster:String})) AS operations,
       (SELECT sum(requests) + sum(denied) FROM edge_usage_day WHERE edge IN (SELECT edge FROM edge WHERE cluster = {cluster:String})) AS edges`,
    { cluster },
  )
  return row!
}

const all = (generated: Generated) => ({
  facts: generated.accepted,
  rejects: generated.rejected,
  operations: generated.accepted,
  edges: generated.accepted,
})

describe('a file is known by its content', () => {
  // Larger than the beginning that identifies a file, and smaller.
  test.each([2000, 60])('a copy under another name, a gzip and a zstd of %i lines add nothing', async (lines) => {
    const cluster = `copies of ${lines}`
    const generated = generateText(lines, lines)
    const { path } = write(`${lines}.log`, generated)
    expect(await store.path(SOURCE, path, cluster)).toMatchObject(counts(generated))
    copyFileSync(path, at(`${lines}-renamed.log`))
    writeFileSync(at(`${lines}.log.gz`), gzipSync(generated.text))
    writeFileSync(at(`${lines}.zst-by-another-name`), zstdCompressSync(generated.text))
    for (const name of [`${lines}.log`, `${lines}-renamed.log`, `${lines}.log.gz`, `${lines}.zst-by-another-name`]) {
      expect(await store.path(SOURCE, at(name), cluster)).toMatchObject({
        read: 0,
        bytes: 0,
        skipped: generated.text.length,
      })
    }
    expect(await facts(cluster)).toEqual(all(generated))
  })

  test('two clusters, and two sources, are separate', async () => {
    const generated = generateText(3, 100)
    const { path } = write('clusters.log', generated)
    for (const cluster of ['east', 'west']) {
      expect(await store.path(SOURCE, path, cluster)).toMatchObject(counts(generated))
      expect(await facts(cluster)).toEqual(all(generated))
    }
    expect(await store.path('envoy-text', path, 'east')).toMatchObject({ accepted: 0, rejected: generated.lines })
  })

  test('files with the same first lines are told apart as soon as they differ', async () => {
    const { text } = generateText(4, 9)
    const [first = '', ...rest] = text.split(/(?<=\n)/)
    const [a = '', b = ''] = [rest.slice(0, 4).join(''), rest.slice(4).join('')]
    for (const content of [first, first + a, first + b, first + a, first + b])
      await store.file(SOURCE, content, 'same start')
    const stored = await facts('same start')
    expect(stored.facts + stored.rejects).toBe(9)
  })
})

describe('a file that grows', () => {
  test.each([
    ['large, and cut between lines', 3000, true],
    ['large, and cut in the middle of a line', 3000, false],
    ['small, and cut between lines', 50, true],
    ['small, and cut in the middle of a line', 50, false],
  ])('%s adds its tail', async (name, lines, whole) => {
    const generated = generateText(lines, lines)
    const { path, half } = write(`${name}.log`, generated)
    truncateSync(path, whole ? generated.text.lastIndexOf('\n', half) + 1 : half)
    const first = await store.path(SOURCE, path, name)
    expect(first.read).toBeGreaterThan(lines / 3)
    // Read again before it has grown: what is not whole is not counted twice.
    const before = await facts(name)
    await store.path(SOURCE, path, name)
    expect(await facts(name)).toEqual(before)
    writeFileSync(path, generated.text)
    await store.path(SOURCE, path, name)
    const torn = whole ? 0 : 1
    // A line that was read when only half of it was there: its half is among the rejects, and the whole is a fact.
    expect(await facts(name)).toEqual({ ...all(generated), rejects: generated.rejected + torn })
  })

  test('a last line without its newline is a fact at once, and once', async () => {
    const generated = generateText(8, 20)
    const path = at('no-newline.log')
    writeFileSync(path, generated.text.trimEnd())
    expect(await store.path(SOURCE, path, 'no newline')).toMatchObject(counts(generated))
    expect(await store.path(SOURCE, path, 'no newline')).toMatchObject({ read: 0 })
    const more = generateText(9, 30)
    appendFileSync(path, `\n${more.text}`)
    expect(await store.path(SOURCE, path, 'no newline')).toMatchObject(counts(more))
    expect((await facts('no newline')).facts).toBe(generated.accepted + more.accepted)
  })
})

describe('a file that cannot be read', () => {
  test.each([
    ['absent', 'cannot read', () => at('absent.log')],
    ['a directory', 'is a directory', () => store.dir],
  ])('%s: says so', async (_, message, path) => {
    await expect(store.path(SOURCE, path(), 'bad')).rejects.toMatchObject({
      code: 'bad_file',
      message: expect.stringContaining(message),
    })
  })

  test('a gzip that is cut keeps what could be unpacked, and the whole file adds the rest', async () => {
    const generated = generateText(12, 5000)
    const packed = gzipSync(generated.text)
    writeFileSync(at('cut.gz'), packed.subarray(0, packed.length / 2))
    await expect(store.path(SOURCE, at('cut.gz'), 'cut')).rejects.toMatchObject({
      code: 'bad_file',
      message: expect.stringContaining('damaged or cut'),
    })
    writeFileSync(at('cut.gz'), packed)
    await store.path(SOURCE, at('cut.gz'), 'cut')
    expect((await facts('cut')).facts).toBe(generated.accepted)
    expect(readFileSync(at('cut.gz'))).toEqual(packed)
  })

  test.each(['', '\n', '\n\r\n\n'])('an empty one (%j) has nothing to read', async (content) => {
    expect(await store.file(SOURCE, content, `empty ${content.length}`)).toMatchObject({ read: 0, rejected: 0 })
  })
})
