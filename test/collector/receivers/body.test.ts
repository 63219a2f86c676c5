import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { createBudget } from '../../../services/collector/gather/budget.ts'
import { REQUEST_BYTES_MAX, readBody } from '../../../services/collector/receivers/body.ts'
import { seeded } from '../lines.ts'

const MIB = 1 << 20
/** As JSON is: it packs to a fifth, and no two pieces are alike. */
const TEXT = Buffer.from(randomBytes(1 * MIB).toString('hex'))

/** Reads a body that comes in pieces, and says what of the budget it holds then. */
async function read(bytes: Buffer, encoding: string | undefined, pieceBytes = 64 << 10, bytesMax = 512 * MIB) {
  const budget = createBudget(bytesMax)
  const hold = budget.hold('shop', 'logs')
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, at) =>
    bytes.subarray(at * pieceBytes, (at + 1) * pieceBytes),
  )
  const body = await readBody(Readable.from(pieces), encoding, hold).catch((error: unknown) => {
    hold.release()
    expect(budget.bytes).toBe(0)
    throw error
  })
  return { body, held: budget.bytes }
}

const several = (...packed: Buffer[]) => Buffer.concat(packed)

/** A gzip whose last four bytes, the size of what is in it, say something else. */
function claiming(bytes: Buffer, size: number): Buffer {
  const packed = Buffer.from(gzipSync(bytes))
  packed.writeUInt32LE(size, packed.length - 4)
  return packed
}

describe('a body', () => {
  test.each<[string, Buffer, string | undefined, Buffer]>([
    ['as it is', TEXT, '', TEXT],
    ['nothing', Buffer.alloc(0), '', Buffer.alloc(0)],
    ['a gzip', gzipSync(TEXT), 'gzip', TEXT],
    ['a gzip of nothing', gzipSync(''), 'gzip', Buffer.alloc(0)],
    ['a gzip of one byte', gzipSync('x'), 'gzip', Buffer.from('x')],
    ['a gzip that is too large for one go', gzipSync(randomBytes(5 * MIB)), 'gzip', Buffer.alloc(0)],
    [
      'two gzips after one another',
      several(gzipSync(TEXT), gzipSync('more')),
      'gzip',
      several(TEXT, Buffer.from('more')),
    ],
    [
      'a small gzip before a large one',
      several(gzipSync('more'), gzipSync(TEXT)),
      'gzip',
      several(Buffer.from('more'), TEXT),
    ],
    ['a gzip that is filled up with zeros', several(gzipSync(TEXT), Buffer.alloc(512)), 'gzip', TEXT],
    ['a zstd', zstdCompressSync(TEXT), 'zstd', TEXT],
    ['a gzip that nobody named', gzipSync(TEXT), undefined, TEXT],
    ['a zstd that nobody named', zstdCompressSync(TEXT), undefined, TEXT],
    ['text that nobody named', TEXT, undefined, TEXT],
  ])('%s, and holds as much memory as it has bytes', async (name, sent, encoding, expected) => {
    for (const pieceBytes of [sent.length || 1, 64 << 10, 1000]) {
      const { body, held } = await read(sent, encoding, pieceBytes)
      expect(held).toBe(body.length)
      if (name.includes('too large')) expect(body.length).toBe(5 * MIB)
      else expect(body.equals(expected)).toBe(true)
    }
  })

  test('one byte at a time: what it is packed with is seen all the same', async () => {
    const { body } = await read(gzipSync('some lines'), undefined, 1)
    expect(body.toString()).toBe('some lines')
  })

  test.each([0, 1, 10, TEXT.length - 1, TEXT.length + 1, 64 * MIB, 2 ** 32 - 1])(
    'a gzip that claims to have %i bytes is damaged, and takes no more memory than it has',
    async (size) => {
      await expect(read(claiming(TEXT, size), 'gzip')).rejects.toMatchObject({ code: 'bad_request' })
    },
  )

  test('something else behind a gzip is damage', async () => {
    const sent = several(gzipSync(TEXT), Buffer.from('no gzip'))
    await expect(read(sent, 'gzip')).rejects.toMatchObject({ code: 'bad_request' })
  })

  test('bombs, whatever they claim, and however many gzips they are', async () => {
    const bomb = gzipSync(Buffer.alloc(REQUEST_BYTES_MAX + 1))
    const two = several(gzipSync(Buffer.alloc(REQUEST_BYTES_MAX)), gzipSync('x'))
    for (const sent of [bomb, two, claiming(Buffer.alloc(REQUEST_BYTES_MAX + MIB), 100)])
      await expect(read(sent, 'gzip')).rejects.toMatchObject({ code: 'too_large' })
  })

  test('memory that is not there is not taken', async () => {
    await expect(read(gzipSync(Buffer.alloc(8 * MIB)), 'gzip', 64 << 10, 4 * MIB)).rejects.toMatchObject({
      code: 'overloaded',
    })
  })

  test('damage anywhere is found, or changes nothing (seeded)', async () => {
    const random = seeded(11)
    const small = TEXT.subarray(0, 20_000)
    const packed = gzipSync(small)
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(packed)
      const at = Math.floor(random() * damaged.length)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random() * 8))
      const outcome = await read(damaged, 'gzip').then(
        ({ body }) => body.equals(small),
        (error) => error.code,
      )
      expect([true, 'bad_request']).toContain(outcome)
    }
    for (let length = 1; length < packed.length; length += 97)
      await expect(read(packed.subarray(0, length), 'gzip')).rejects.toMatchObject({ code: 'bad_request' })
  })
})
