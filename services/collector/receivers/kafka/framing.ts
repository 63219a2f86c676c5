import type { MessageReject } from '../../../store/queries/rejects.ts'
import { countLines } from '../../input/chunks.ts'
import { framed } from '../../input/protobuf.ts'
import { type RecordBatch, visitRecords } from './record-batch.ts'
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

const NEWLINE = Buffer.from('\n')
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/**
 * The messages of one batch from offset `from` on, one after another; those that can be no telemetry are rejects.
 * @param where `topic/partition`, for the text of rejects
 * @param records the batch's records, inflated, or why they cannot be read
 */
export function frameMessages(
  framing: MessageFraming,
  batch: RecordBatch,
  records: Buffer | UndecodableError,
  from: number,
  where: string,
): FramedMessages {
  const pieces: Buffer[] = []
  const rejects: MessageReject[] = []
  const reject = (reason: MessageReason, offset: number) => addReject(rejects, reason, where, offset)
  try {
    if (records instanceof UndecodableError) throw records
    visitRecords(batch, records, (offset, value) => {
      if (offset < from) return
      if (value === null) reject('null_message', offset)
      else if (value.length > MESSAGE_BYTES_MAX) reject('message_too_large', offset)
      else if (value.length > 0) pieces.push(...FRAME[framing](value))
    })
  } catch (error) {
    if (!(error instanceof UndecodableError)) throw error
    // Nothing of a batch that is damaged is taken: its messages cannot be told from noise.
    return { bytes: Buffer.alloc(0), lines: 0, rejects: [undecodable(batch, error.reason, where)] }
  }
  const bytes = Buffer.concat(pieces)
  return { bytes, lines: framing === 'otlp_proto' ? 0 : countLines(bytes), rejects }
}

const FRAME: Record<MessageFraming, (value: Buffer) => Buffer[]> = {
  lines: (value) => (value.at(-1) === LINE_FEED ? [value] : [value, NEWLINE]),
  otlp_proto: (value) => [framed(value)],
  otlp_json: (value) => [onOneLine(value), NEWLINE],
}

/** JSON that was written for people: the line breaks between its tokens become spaces. Within strings there are none. */
function onOneLine(value: Buffer): Buffer {
  if (!value.includes(LINE_FEED)) return value
  return Buffer.from(value.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte)))
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
