import { UndecodableError } from './undecodable.ts'

/**
 * The format of Kafka's log, version 2: record batches with a head of 61 bytes, then records, which may be compressed as a
 * whole (Kafka documentation, "Message Format"). Brokers check what producers send; what is read here is checked again.
 */
export interface RecordBatch {
  baseOffset: number
  /** Of its last message, or where that was before compaction. */
  lastOffset: number
  /** Messages in it. */
  count: number
  codec: number
  /** A marker of a transaction's end, no messages. */
  control: boolean
  transactional: boolean
  producerId: string
  /** Its records, as they are on the wire. */
  records: Buffer
}

export const BATCH_HEAD_BYTES = 61
/** Bytes before those that the batch's own length counts. */
const LENGTH_FROM = 12
const CODEC_MASK = 0x07
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/** The batches in the bytes of a fetch. The last one may be cut, and comes again with the next fetch. */
export function readRecordBatches(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = []
  for (let at = 0; at + BATCH_HEAD_BYTES <= bytes.length; ) {
    const end = at + LENGTH_FROM + bytes.readInt32BE(at + 8)
    if (end < at + BATCH_HEAD_BYTES) throw new UndecodableError('malformed_batch')
    if (end > bytes.length) break
    const attributes = bytes.readInt16BE(at + 21)
    const baseOffset = Number(bytes.readBigInt64BE(at))
    batches.push({
      baseOffset,
      lastOffset: baseOffset + bytes.readInt32BE(at + 23),
      count: bytes.readInt32BE(at + 57),
      codec: attributes & CODEC_MASK,
      control: (attributes & CONTROL) !== 0,
      transactional: (attributes & TRANSACTIONAL) !== 0,
      producerId: bytes.readBigInt64BE(at + 43).toString(),
      records: bytes.subarray(at + BATCH_HEAD_BYTES, end),
    })
    at = end
  }
  return batches
}

export type Visit = (offset: number, value: Buffer | null, key: Buffer | null) => void

/**
 * Visits the messages of a batch in order.
 * @param records the batch's records, inflated
 * @throws UndecodableError `malformed_batch` where they are not what their lengths say
 */
export function visitRecords(batch: RecordBatch, records: Buffer, visit: Visit): void {
  const cursor = { bytes: records, at: 0 }
  for (let index = 0; index < batch.count; index++) {
    const length = readVarint(cursor)
    const end = cursor.at + length
    if (length < 0 || end > records.length) throw new UndecodableError('malformed_batch')
    cursor.at++ // the record's attributes, unused
    skipVarint(cursor) // how long after the batch's first message
    const offset = batch.baseOffset + readVarint(cursor)
    const key = readBytes(cursor, end)
    visit(offset, readBytes(cursor, end), key)
    cursor.at = end // over the headers: what they claim is not looked at
  }
}

interface Cursor {
  bytes: Buffer
  at: number
}

function readBytes(cursor: Cursor, end: number): Buffer | null {
  const length = readVarint(cursor)
  if (length === -1) return null
  const from = cursor.at
  cursor.at += length
  if (length < 0 || cursor.at > end) throw new UndecodableError('malformed_batch')
  return cursor.bytes.subarray(from, cursor.at)
}

/** A signed number of at most 32 bits, zigzag. */
function readVarint(cursor: Cursor): number {
  let result = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) break
    result |= (byte & 0x7f) << shift
    if (byte < 0x80) return (result >>> 1) ^ -(result & 1)
  }
  throw new UndecodableError('malformed_batch')
}

function skipVarint(cursor: Cursor): void {
  for (let index = 0; index < 10; index++) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) break
    if (byte < 0x80) return
  }
  throw new UndecodableError('malformed_batch')
}
