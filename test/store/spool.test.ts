import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSpool } from '../../services/store/spool.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cinch-spool-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

interface Note {
  token: string
}
const own = () => join(root, String(process.pid))
const left = () => openSpool<Note>(root, true).pending()
const text = (path: string) => readFileSync(path, 'utf8')

test('entries that were left are found whole, oldest first', async () => {
  const spool = openSpool<Note>(root, true)
  spool.add(Buffer.from('first'), { token: 'a' }, true)
  await spool.put([Buffer.from('sec'), Buffer.from('ond')], { token: 'b' }, false)
  expect(left().map(({ note, path, bytes }) => [note, text(path), bytes])).toEqual([
    [{ token: 'a' }, 'first', 5],
    [{ token: 'b' }, 'second', 6],
  ])
})

// What a loss of power can leave of files that were written and never synced.
test.each([
  ['a short chunk', (name: string) => truncateSync(join(own(), `${name}.chunk`), 3)],
  ['an empty chunk', (name: string) => truncateSync(join(own(), `${name}.chunk`))],
  ['no chunk', (name: string) => rmSync(join(own(), `${name}.chunk`))],
  ['an empty note', (name: string) => truncateSync(join(own(), `${name}.json`))],
  ['half a note', (name: string) => truncateSync(join(own(), `${name}.json`), 9)],
])('%s is no entry, is removed, and stops no other', async (_, damage) => {
  const spool = openSpool<Note>(root, true)
  for (const token of ['a', 'b', 'c']) await spool.put([Buffer.from(`chunk ${token}`)], { token }, false)
  const [, second = ''] = readdirSync(own())
    .filter((name) => name.endsWith('.json'))
    .sort()
  damage(second.replace('.json', ''))
  expect(left().map(({ note, path }) => [note.token, text(path)])).toEqual([
    ['a', 'chunk a'],
    ['c', 'chunk c'],
  ])
  expect(readdirSync(own())).toHaveLength(4)
})

test('an entry of an earlier version, whose note does not tell the length, is kept', () => {
  openSpool<Note>(root, true).add(Buffer.from('old'), { token: 'old' }, true)
  const [name = ''] = readdirSync(own()).filter((one) => one.endsWith('.json'))
  writeFileSync(join(own(), name), JSON.stringify({ token: 'old' }))
  expect(left().map(({ note, bytes }) => [note, bytes])).toEqual([[{ token: 'old' }, 3]])
})
