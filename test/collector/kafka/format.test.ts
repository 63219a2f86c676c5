import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inflate } from '../../../services/collector/receivers/kafka/decompress.ts'
import { frameMessages } from '../../../services/collector/receivers/kafka/framing.ts'
import {
  NULL_VALUE,
  type RecordBatch,
  readRecordBatches,
  visitRecords,
} from '../../../services/collector/receivers/kafka/record-batch.ts'
import { UndecodableError } from '../../../services/collector/receivers/kafka/undecodable.ts'
import { generateText } from '../lines.ts'

/*
 * The samples are log segments as Kafka 4.1.0 wrote them to its disk, produced by its own ConsoleProducer; what is in them
 * are the lines of `generateText(9, …)`.
 */
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const sample = (codec: string) => readFileSync(join(import.meta.dirname, 'samples', `${codec}.segment`))
const linesOf = (codec: string) =>
  generateText(9, codec === 'none' ? 40 : 400)
    .text.split('\n')
    .slice(0, -1)

async function messagesOf(bytes: Buffer): Promise<(string | undefined)[]> {
  const messages: (string | undefined)[] = []
  for (const batch of readRecordBatches(bytes)) {
    const records = await inflate(batch.codec, batch.records)
    visitRecords(batch, records, (offset, from, to) => {
      expect(offset).toBe(messages.length)
      messages.push(from === NULL_VALUE ? undefined : records.toString('utf8', from, to))
    })
  }
  return messages
}

describe.each(CODECS)('a log segment with codec %s', (codec) => {
  test('is read as it was produced', async () => {
    expect(readRecordBatches(sample(codec)).map((batch) => batch.codec)).toContain(CODECS.indexOf(codec))
    expect(await messagesOf(sample(codec))).toEqual(linesOf(codec))
  })

  test('cut anywhere, it is read up to its last whole batch', async () => {
    const bytes = sample(codec)
    const whole = await messagesOf(bytes)
    for (const length of [0, 1, 60, 61, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const read = await messagesOf(bytes.subarray(0, length))
      expect(read).toEqual(whole.slice(0, read.length))
    }
  })

  test('damaged anywhere, it is read or refused, within its bounds', async () => {
    const bytes = sample(codec)
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const damaged = Buffer.from(bytes)
        for (const [at, value] of changes) damaged[at] = value
        for (const batch of batchesOf(damaged)) {
          const records = await inflate(batch.codec, batch.records, 1 << 20).catch(refused)
          if (records instanceof Buffer) expect(records.length).toBeLessThanOrEqual(Math.max(1 << 20, bytes.length))
          const { lines, rejects } = frameMessages('lines', batch, records, 0, 't/0')
          // All of a batch or nothing of it: a damaged one is a single reject, the messages of another one are its own.
          if (records instanceof UndecodableError || rejects.some(({ reason }) => reason === 'malformed_batch'))
            expect({ lines, rejects: rejects.length }).toEqual({ lines: 0, rejects: 1 })
          else expect(rejects.reduce((sum, { messages }) => sum + messages, 0)).toBeLessThanOrEqual(batch.count)
        }
      }),
      { numRuns: 300, seed: 7 },
    )
  }, 60_000)

  test('inflating to more than its bound it is refused', async () => {
    const batches = readRecordBatches(sample(codec)).filter((batch) => batch.codec > 0)
    for (const batch of batches)
      expect(await inflate(batch.codec, batch.records, 1_000).catch(refused)).toMatchObject({
        reason: 'batch_too_large',
      })
  })
})

test('an unknown codec is a reason, not a failure', async () => {
  expect(await inflate(5, Buffer.alloc(10)).catch(refused)).toMatchObject({ reason: 'unknown_codec' })
})

test('LZ4: copies that overlap what they write, stored blocks, and blocks that reach into the one before', async () => {
  const head = [0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0x00]
  const block = (bytes: number[], isStored = false) => [bytes.length & 0xff, 0, 0, isStored ? 0x80 : 0, ...bytes]
  // "ab", then eight bytes from two back; stored "xyz"; four bytes from three back, and the literal "!".
  const first = block([0x24, 0x61, 0x62, 2, 0, 0x10, 0x63])
  const third = block([0x00, 3, 0, 0x10, 0x21])
  const frame = Buffer.from([...head, ...first, ...block([0x78, 0x79, 0x7a], true), ...third, 0, 0, 0, 0])
  expect((await inflate(3, frame)).toString()).toBe('ababababab' + 'c' + 'xyz' + 'xyzx' + '!')
})

/** Damage to the length of a batch is damage to the whole fetch: the broker keeps a checksum over it. */
function batchesOf(bytes: Buffer): RecordBatch[] {
  try {
    return readRecordBatches(bytes)
  } catch (error) {
    refused(error)
    return []
  }
}

function refused(error: unknown): UndecodableError {
  if (error instanceof UndecodableError) return error
  throw error
}
