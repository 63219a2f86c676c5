import { type handleClientStreamingCall, Server } from '@grpc/grpc-js'
import { CinchError } from '../../model/errors.ts'
import { OverloadedError } from '../../model/overloaded.ts'
import type { Hold } from '../gather/budget.ts'
import type { Outcome } from '../gather/parts.ts'
import { createLanes } from '../lanes.ts'
import type { Source } from '../sources/index.ts'
import { alsService } from './als.ts'
import { failureOf, originOf, type RawCall, rawService } from './calls.ts'
import { type ReceiverContext, rejectsMessage } from './http.ts'
import { checkProtobuf, OTLP_SIGNALS, type OtlpSignal, sourceOf } from './signals.ts'
import { exportResponse } from './wire.ts'

/** A message has at most so many bytes, as sent and after unpacking; the Collector's batches of 8,192 spans have four to eight. */
export const MESSAGE_BYTES_MAX = 16 << 20
/** Messages that are read at once: with the bound above, what is in memory before it can be counted. */
const READS_MAX = 24
/** So many of one sender: whose senders stall holds up itself, and nobody else. */
const READS_OF_SENDER_MAX = 8
/** A request of one message must be there within this time. */
const MESSAGE_WITHIN_MS = 30_000
const STREAMS_PER_CONNECTION_MAX = 100
/** A connection whose other end is gone is found and closed. */
const KEEPALIVE_MS = 60_000
const KEEPALIVE_TIMEOUT_MS = 20_000

const RECEIVER = 'otlp_grpc'

/** The server of OTLP over gRPC and of Envoy's access log service. Bound nowhere yet. */
export function createGrpc(context: ReceiverContext): Server {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_concurrent_streams': STREAMS_PER_CONNECTION_MAX,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  })
  const reads = createReads()
  for (const signal of OTLP_SIGNALS) {
    const source = sourceOf(signal.source)
    if (!source) continue
    const handler: handleClientStreamingCall<Buffer, Buffer> = (call, callback) => {
      const read = (sender: string) => reads(sender, () => oneMessage(call))
      exportRequest(context, signal, source, call, read).then(
        (outcome) => callback(null, exportResponse(outcome.rejected, rejectsMessage(outcome))),
        (error: unknown) => callback(failureOf(error, context)),
      )
    }
    server.addService(rawService({ Export: signal.grpcPath }), { Export: handler })
  }
  const als = sourceOf('envoy-als')
  if (als) server.addService(...alsService(context, als))
  return server
}

async function exportRequest(
  context: ReceiverContext,
  signal: OtlpSignal,
  source: Source,
  call: RawCall,
  read: (sender: string) => Promise<Buffer>,
): Promise<Outcome> {
  const origin = await originOf(context, call, source, RECEIVER)
  const flow = { source: source.id, sender: origin.sender, receiver: RECEIVER }
  let hold: Hold | undefined
  try {
    hold = context.gatherer.admit(origin.sender, signal.signal)
    const body = await read(origin.sender)
    hold.grow(body.length)
    const { bytes, records } = checkProtobuf(signal, body)
    if (records === 0) {
      hold.release()
      return { accepted: 0, rejected: 0, together: 1 }
    }
    const submission = { source, framing: 'protobuf', origin, receiver: RECEIVER, bytes, records, hold } as const
    // From here on the gatherer gives it back.
    hold = undefined
    const outcome = await context.gatherer.submit(submission)
    if (outcome.malformed)
      throw new CinchError('bad_request', 'the request cannot be decoded', 'see that it was sent whole')
    return outcome
  } catch (error) {
    hold?.release()
    if (error instanceof OverloadedError) context.observe.delayed(flow, 1)
    else if (error instanceof CinchError) context.observe.rejected(flow, 1)
    throw error
  }
}

/** Lets messages be read, so many at once in all and of each sender. */
function createReads(): (sender: string, read: () => Promise<Buffer>) => Promise<Buffer> {
  const all = createLanes(Array.from({ length: READS_MAX }, (_, index) => index))
  const bySender = new Map<string, { lanes: typeof all; waiting: number }>()
  return async (sender, read) => {
    const lanes = () => createLanes(Array.from({ length: READS_OF_SENDER_MAX }, (_, index) => index))
    const own = bySender.get(sender) ?? { lanes: lanes(), waiting: 0 }
    bySender.set(sender, own)
    own.waiting++
    try {
      return await own.lanes(() => all(read))
    } finally {
      if (--own.waiting === 0) bySender.delete(sender)
    }
  }
}

/** The only message of a call. */
async function oneMessage(call: RawCall): Promise<Buffer> {
  const late = setTimeout(() => call.destroy(new Error('the message did not come in time')), MESSAGE_WITHIN_MS)
  try {
    let message: Buffer | undefined
    for await (const bytes of call) {
      if (message) throw new CinchError('bad_request', 'a second message came', 'send one request in a call')
      message = bytes as Buffer
    }
    if (!message) throw new CinchError('bad_request', 'no message came', 'send one request in a call')
    return message
  } finally {
    clearTimeout(late)
  }
}
