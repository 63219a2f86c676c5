import type { MessageReject } from '../../../store/queries/rejects.ts'
import { countLines } from '../../input/chunks.ts'
import { frameHead } from '../../input/protobuf.ts'
import { NULL_VALUE, type RecordBatch, visitRecords } from './record-batch.ts'
import { type MessageReason, UndecodableError } from './undecodable.ts'

/** What a message of a topic is: one or more lines, or one OTLP request as the OpenTelemetry Collector's exporter writes it. */
export const FRAMINGS = ['lines', 'otlp_proto', 'otlp_json'] as const
export type MessageFraming = (typeof FRAMINGS)[number]

/** A message that is larger is rejected: it is no telemetry, and would hold up its neighbours. */
export const MESSAGE_BYTES_MAX = 8 << 20

/** Messages as a chunk holds them. */
export interface FramedMessages {
  bytes: Buffer
  /** Lines that are not empty; 0 for protobuf. */
  lines: number
  rejects: MessageReject[]
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/**
 * The messages of one batch from offset `from` on, one after another; those that can be no telemetry are rejects.
 * @param where `topic/partition`, for the text of rejects
 * @param records the batch's records, inflated, or why they cannot be read; the messages are written over them
 */
export function frameMessages(
  framing: MessageFraming,
  batch: RecordBatch,
  records: Buffer | UndecodableError,
  from: number,
  where: string,
): FramedMessages {
  const rejects: MessageReject[] = []
  const reject = (reason: MessageReason, offset: number) => addReject(rejects, reason, where, offset)
  const frame = FRAME[framing]
  let end = 0
  try {
    if (records instanceof UndecodableError) throw records
    visitRecords(batch, records, (offset, valueFrom, valueTo) => {
      const size = valueTo - valueFrom
      if (offset < from || size === 0) return
      if (valueFrom === NULL_VALUE) reject('null_message', offset)
      else if (size > MESSAGE_BYTES_MAX) reject('message_too_large', offset)
      else end = frame(records, valueFrom, valueTo, end)
    })
  } catch (error) {
    if (!(error instanceof UndecodableError)) throw error
    // Nothing of a batch that is damaged is taken: its messages cannot be told from noise.
    return { bytes: Buffer.alloc(0), lines: 0, rejects: [undecodable(batch, error.reason, where)] }
  }
  const bytes = ownBytes(records, end)
  return { bytes, lines: framing === 'otlp_proto' ? 0 : countLines(bytes), rejects }
}

/** A few bytes must not keep alive the memory of many. */
const ownBytes = (records: Buffer, end: number) =>
  end * 2 >= records.buffer.byteLength ? records.subarray(0, end) : Buffer.from(records.subarray(0, end))

/**
 * Writes a message's value `from`..`to` behind those before it, at `at` in the same bytes. What a framing adds to it is never
 * more than the head of its record, so it writes over nothing that is still to be read.
 * @returns where it ends
 */
type Frame = (bytes: Buffer, from: number, to: number, at: number) => number

const FRAME: Record<MessageFraming, Frame> = {
  lines: (bytes, from, to, at) => {
    const isEnded = bytes[to - 1] === LINE_FEED
    bytes.copyWithin(at, from, to)
    return isEnded ? at + to - from : endLine(bytes, at + to - from)
  },
  otlp_json: (bytes, from, to, at) => {
    bytes.copyWithin(at, from, to)
    const end = at + to - from
    onOneLine(bytes.subarray(at, end))
    return endLine(bytes, end)
  },
  otlp_proto: (bytes, from, to, at) => {
    const head = frameHead(bytes.subarray(from, to))
    bytes.copyWithin(at + head.length, from, to)
    bytes.set(head, at)
    return at + head.length + to - from
  },
}

function endLine(bytes: Buffer, at: number): number {
  bytes[at] = LINE_FEED
  return at + 1
}

/** JSON that was written for people: the line breaks between its tokens become spaces. Within strings there are none. */
function onOneLine(value: Buffer): void {
  if (!value.includes(LINE_FEED)) return
  for (let at = 0; at < value.length; at++)
    if (value[at] === LINE_FEED || value[at] === CARRIAGE_RETURN) value[at] = SPACE
}

/** Neighbours with the same reason share an entry, so that a run of them costs little. */
function addReject(rejects: MessageReject[], reason: MessageReason, where: string, offset: number): void {
  const last = rejects.at(-1)
  if (last?.reason === reason) last.messages++
  else rejects.push({ reason, line: `kafka ${where}, from offset ${offset}`, messages: 1 })
}

function undecodable(batch: RecordBatch, reason: MessageReason, where: string): MessageReject {
  const { baseOffset, lastOffset, count, codec } = batch
  return {
    reason,
    line: `kafka ${where}, offsets ${baseOffset} to ${lastOffset}: ${count} messages, codec ${codec}`,
    messages: 1,
  }
}
