import { expect, test } from 'vitest'
import type { Note } from '../../../services/collector/commit.ts'
import { type Feed, joinChunks } from '../../../services/collector/receivers/kafka/chunks.ts'
import { createLedger } from '../../../services/collector/receivers/kafka/ledger.ts'
import { linesOf } from './topics.ts'

const feed = { config: linesOf('a', ''), origin: { sender: 'kafka', cluster: '' } } as Feed
const KEY = 'kafka:c/g/a/id.0/0'

/** A spool that refuses its first chunks, and says in which order the others came. */
function refusing(times: number) {
  const spooled: [number, number][] = []
  let left = times
  const spool = async (pieces: Uint8Array[], note: Note) => {
    if (left-- > 0) throw new Error('no space left on device')
    spooled.push([pieces.length, note.positions?.[0]?.end ?? 0])
    return async () => ({ accepted: 0, rejected: 0 })
  }
  return { committer: { spool }, spooled }
}

const piece = (first: number, next: number, ledger = createLedger()) => ({
  ...ledger.take(KEY, first, next),
  bytes: Buffer.from('x\n'),
  lines: 1,
  rejects: [],
  key: KEY,
  first,
  next,
})

test('no chunk overtakes one that the spool refuses: a kill between them would lose it', async () => {
  const { committer, spooled } = refusing(2)
  const notes: string[] = []
  const ledger = createLedger()
  const chunks = await joinChunks(committer, (text) => notes.push(text), 1)
  const stored = [chunks.add(feed, piece(0, 10, ledger)), chunks.add(feed, piece(10, 20, ledger))]
  await Promise.all(stored)
  expect(spooled.map(([, end]) => end)).toEqual([10, 20])
  expect(notes).toEqual([
    'messages of topic a wait for the spool: no space left on device',
    'messages of topic a go on',
  ])
  expect(ledger.stored(KEY)).toBe(20)
  await chunks.close()
})

test('receivers of one store gather together: what one took before the other is in the spool before it', async () => {
  const { committer, spooled } = refusing(0)
  const one = await joinChunks(committer, () => {})
  const other = await joinChunks(committer, () => {}, 1)
  const ledger = createLedger()
  void one.add(feed, piece(0, 10, ledger))
  void other.add(feed, piece(10, 20, ledger))
  await one.close()
  void other.add(feed, piece(20, 30, ledger))
  await other.close()
  expect(spooled).toEqual([
    [2, 20],
    [1, 30],
  ])
  // And whoever comes after the last one has left starts anew.
  const later = await joinChunks(committer, () => {})
  await Promise.all([later.add(feed, piece(30, 40, ledger)), later.close()])
  expect(ledger.stored(KEY)).toBe(40)
})

test('what is stored counts up to the first gap; what was lost is taken again', () => {
  const ledger = createLedger()
  expect(ledger.begin(KEY, 5)).toBe(5)
  const [first, second, third] = [ledger.take(KEY, 5, 10), ledger.take(KEY, 10, 20), ledger.take(KEY, 20, 30)]
  second?.stored()
  ledger.found(KEY, 20)
  expect(ledger.stored(KEY)).toBeUndefined()
  first?.stored()
  expect(ledger.stored(KEY)).toBe(20)
  expect(ledger.taken(KEY)).toBe(30)
  third?.lost()
  expect(ledger.begin(KEY, 0)).toBe(20)
  ledger.found(KEY, 25)
  expect([ledger.stored(KEY), ledger.taken(KEY)]).toEqual([25, 25])
  expect(ledger.keys('kafka:c/g/a/')).toEqual([KEY])
})
