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

/** A message's offset, and where its value lies; `NULL_VALUE` for null. Without an object for each: there are millions. */
export type Visit = (offset: number, from: number, to: number) => void
export const NULL_VALUE = -1

/**
 * Visits the messages of a batch in order. A visitor may write over what it has seen.
 * @param records the batch's records, inflated
 * @throws UndecodableError `malformed_batch` where they are not what their lengths say
 */
export function visitRecords(batch: RecordBatch, records: Buffer, visit: Visit): void {
  const cursor = { bytes: records, at: 0 }
  for (let index = 0; index < batch.count; index++) {
    const length = readVarint(cursor)
    const end = cursor.at + length
    if (length < 0 || end > records.length) throw new UndecodableError('malformed_batch')
    const offset = batch.baseOffset + readOffset(cursor)
    skipBytes(cursor, end) // the key
    const size = skipBytes(cursor, end)
    visit(offset, size === NULL_LENGTH ? NULL_VALUE : cursor.at - size, cursor.at)
    cursor.at = end // over the headers: what they claim is not looked at
  }
}

/** The key of a batch's first record; what a marker says of its transaction stands in it. Markers are never compressed. */
export function firstKey({ records }: RecordBatch): Buffer | null {
  const cursor = { bytes: records, at: 0 }
  const end = readVarint(cursor) + cursor.at
  readOffset(cursor)
  const length = skipBytes(cursor, end)
  return length === NULL_LENGTH ? null : records.subarray(cursor.at - length, cursor.at)
}

interface Cursor {
  bytes: Buffer
  at: number
}

const NULL_LENGTH = -1

/** The place of a record behind the batch's first. */
function readOffset(cursor: Cursor): number {
  cursor.at++ // the record's attributes, unused
  skipVarint(cursor) // how long after the batch's first message
  return readVarint(cursor)
}

/** Goes over bytes that are preceded by their length. @returns the length */
function skipBytes(cursor: Cursor, end: number): number {
  const length = readVarint(cursor)
  if (length === NULL_LENGTH) return length
  cursor.at += length
  if (length < 0 || cursor.at > end) throw new UndecodableError('malformed_batch')
  return length
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
