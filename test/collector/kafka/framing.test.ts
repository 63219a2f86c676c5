import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countLines } from '../../../services/collector/input/chunks.ts'
import {
  FRAMINGS,
  frameMessages,
  MESSAGE_BYTES_MAX,
  type MessageFraming,
} from '../../../services/collector/receivers/kafka/framing.ts'
import { readRecordBatches } from '../../../services/collector/receivers/kafka/record-batch.ts'

/* Batches as kafkajs' producer encodes them. Messages are framed in their batch's own memory: none may write over another. */

type Encoder = { buffer: Buffer }
interface Message {
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, string>
}
const require = createRequire(import.meta.url)
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => Encoder
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<Encoder>
}

async function batchOf(messages: Message[]) {
  const records = messages.map((message, offsetDelta) => encodeRecord({ ...message, offsetDelta }))
  const [batch] = readRecordBatches((await RecordBatch({ records, lastOffsetDelta: messages.length - 1 })).buffer)
  if (!batch) throw new Error('no batch')
  return batch
}

/** What a message is in a chunk, made with copies and text. */
const EXPECTED: Record<MessageFraming, (value: Buffer) => Buffer> = {
  lines: (value) => (value.at(-1) === 0x0a ? value : Buffer.concat([value, Buffer.from('\n')])),
  otlp_json: (value) =>
    Buffer.from(`${value.toString('latin1').replace(/[\r\n]/g, (c) => (value.includes('\n') ? ' ' : c))}\n`, 'latin1'),
  // None of the values below is a sequence of whole messages.
  otlp_proto: (value) => Buffer.concat([Buffer.from([0x0a, ...uvarint(value.length)]), value]),
}

const uvarint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...uvarint(value >>> 7)])

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.array(fc.constantFrom(0x0a, 0x0d, 0x20, 0x78), { maxLength: 12 }).map((list) => Uint8Array.from(list)),
  fc.constantFrom(127, 128, 129, 16_383, 16_384).map((length) => new Uint8Array(length).fill(0x78)),
)
const value = bytes.map((list) =>
  list[0] === 0x0a && list.length > 1 ? Buffer.from(list).fill(0x78, 0, 1) : Buffer.from(list),
)
const message = fc.record({
  key: fc.option(value, { freq: 2 }),
  value: fc.option(value, { freq: 5 }),
  headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), fc.string({ maxLength: 9 }), { maxKeys: 2 }),
})

test.each(FRAMINGS)('any messages are framed as %s, one after another', async (framing) => {
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 40 }), fc.nat(45), async (messages, from) => {
      const batch = await batchOf(messages)
      const framed = frameMessages(framing, batch, batch.records, from, 't/0')
      const wanted = messages.slice(from).map((one) => one.value)
      const values = wanted.flatMap((one) => (one && one.length > 0 ? [EXPECTED[framing](one)] : []))
      expect(framed.bytes.toString('latin1')).toBe(Buffer.concat(values).toString('latin1'))
      expect(framed.lines).toBe(framing === 'otlp_proto' ? 0 : countLines(Buffer.concat(values)))
      const nulls = framed.rejects.reduce((sum, { messages: count }) => sum + count, 0)
      expect(nulls).toBe(wanted.filter((one) => one === null).length)
    }),
    { numRuns: 500, seed: 11 },
  )
})

test('a message at the bound is taken, one beyond it is not, and few bytes do not keep the memory of many', async () => {
  const messages = [MESSAGE_BYTES_MAX + 1, MESSAGE_BYTES_MAX, 3].map((size) => ({
    key: null,
    value: Buffer.alloc(size, 'x'),
    headers: {},
  }))
  const batch = await batchOf(messages)
  const all = frameMessages('lines', batch, Buffer.from(batch.records), 0, 't/0')
  expect(all.bytes.length).toBe(MESSAGE_BYTES_MAX + 1 + 3 + 1)
  expect(all.rejects).toEqual([{ reason: 'message_too_large', line: 'kafka t/0, from offset 0', messages: 1 }])
  const last = frameMessages('lines', batch, Buffer.from(batch.records), 2, 't/0')
  expect(last.bytes.toString()).toBe('xxx\n')
  expect(last.bytes.buffer.byteLength).toBeLessThan(1 << 20)
})
