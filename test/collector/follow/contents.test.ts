import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BEGINNING_BYTES, findPosition } from '../../../services/collector/input/input.ts'
import { Contents } from '../../../services/collector/receivers/follow/contents.ts'
import { isRotated } from '../../../services/collector/receivers/follow/watch.ts'
import type { FilePosition } from '../../../services/store/queries/files.ts'
import { seeded } from '../lines.ts'

const SIZE = 90_000
/** A file of its own behind what it shares with others. */
function file(shared: Buffer, seed: number): Buffer {
  const random = seeded(seed)
  return Buffer.concat([shared, Buffer.from(Array.from({ length: SIZE - shared.length }, () => random() * 256))])
}
/** So much behind what they share, two files are told apart. */
const OWN_BYTES = 16
const beginning = (bytes: Buffer, size: number) => bytes.subarray(0, Math.min(size, BEGINNING_BYTES))

/** Reads a file in pieces, as it grows; what the store would then hold of it, the furthest position of each digest. */
function readInPieces(contents: Contents, bytes: Buffer, pieces: number[], rows: Map<string, FilePosition>): number {
  const content = contents.claim(beginning(bytes, pieces[0] ?? 1))
  for (const piece of pieces) {
    if (content.end + piece > bytes.length) break
    const row = contents.advance(content, bytes.subarray(content.end, content.end + piece))
    if ((rows.get(row.file)?.end ?? 0) < row.end) rows.set(row.file, row)
  }
  contents.release(content)
  return content.end
}

const PIECES = fc.array(fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 40_000 })), {
  minLength: 1,
  maxLength: 30,
})

describe('contents', () => {
  test('a file that was read in any pieces goes on where it was: after a restart, as a copy, and for cinch ingest', () => {
    fc.assert(
      fc.property(fc.array(PIECES, { minLength: 1, maxLength: 4 }), fc.nat(400), (files, sharedBytes) => {
        const shared = Buffer.alloc(sharedBytes, 'shared')
        const contents = new Contents([])
        const rows = new Map<string, FilePosition>()
        const read = files.map((pieces, index) => {
          const bytes = file(shared, index)
          return { bytes, end: readInPieces(contents, bytes, [shared.length + OWN_BYTES, ...pieces], rows) }
        })
        const restarted = new Contents([...rows.values()])
        for (const { bytes, end } of read) {
          const claimed = restarted.claim(beginning(bytes, SIZE))
          expect(claimed.end).toBe(end)
          expect(contents.claim(beginning(bytes, SIZE)).end).toBe(end)
          expect(findPosition(beginning(bytes, SIZE), [...rows.values()]).end).toBe(end)
          // And it can be read on: its digests go on from there.
          restarted.advance(claimed, bytes.subarray(end))
          expect(claimed.end).toBe(SIZE)
        }
      }),
      { seed: 7, numRuns: 60 },
    )
  })

  test('a file that shares a shorter beginning with a known one, and no longer one, is another', () => {
    const shared = Buffer.alloc(300, 'x')
    const contents = new Contents([])
    const rows = new Map<string, FilePosition>()
    const known = file(shared, 1)
    readInPieces(contents, known, [300, 500, 700], rows)
    const restarted = new Contents([...rows.values()])
    expect(restarted.claim(beginning(known, 2000)).end).toBe(1500)
    // So long as it is only what both have, it may be a copy that is being written: nothing of it is new.
    expect(restarted.claim(beginning(known, 400)).end).toBe(1500)
    const other = file(shared, 2)
    expect(restarted.claim(beginning(other, 2000)).end).toBe(0)
  })

  test('of many contents those are forgotten that no file has', () => {
    const contents = new Contents([])
    const kept = contents.claim(Buffer.from('kept'))
    contents.advance(kept, Buffer.from('kept'))
    expect(contents.matched(Buffer.from('kept'))).toBe(4)
    contents.release(kept)
    expect(contents.matched(Buffer.from('kept'))).toBe(4)
    const empty = contents.claim(Buffer.from('never read'))
    contents.release(empty)
    expect(contents.matched(Buffer.from('never read'))).toBe(0)
  })
})

test.each([
  ['access.log', 'access.log.1', true],
  ['access.log', 'access.log.2.gz', true],
  ['access.log', 'access.log.gz', true],
  ['access.log', 'access.log-20261124', true],
  ['access.log', 'access.log-20261124-1795500000.zst', true],
  ['access.log', 'access-20261124.log', true],
  ['access.log', 'access.2026-11-24T10.log.gz', true],
  ['0.log', '0.log.20261124-120000', true],
  ['access.log', 'access.log.old', true],
  ['access.log', 'access.log', false],
  ['access.log', 'access.log.bak', false],
  ['access.log', 'access.log-notes.txt', false],
  ['access.log', 'access.logger', false],
  ['access.log', 'error.log.1', false],
  ['0.log', '10.log.1', false],
  ['access', 'access.1', true],
])('rotated away from %s: %s is %s', (base, name, expected) => expect(isRotated(base, name)).toBe(expected))
