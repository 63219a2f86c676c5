import { setTimeout as sleep } from 'node:timers/promises'
import type { handleClientStreamingCall, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import { CinchError } from '../../model/errors.ts'
import { OverloadedError } from '../../model/overloaded.ts'
import type { Hold } from '../gather/budget.ts'
import type { Origin } from '../origin.ts'
import type { Source } from '../sources/index.ts'
import { failureOf, originOf, type RawCall, rawService } from './calls.ts'
import type { ReceiverContext } from './http.ts'
import { countAlong, fieldHead, fieldsOf, withoutField } from './wire.ts'

/** A stream's messages are handed over at this size, or after this time. */
const BATCH_BYTES = 1 << 20
const BATCH_MS = 50
/** Batches of one stream on their way at once; beyond, the stream is not read. */
const BATCHES_MAX = 8
/** Envoy names its node with all of its metadata; Istio's has some kilobytes. Its extensions do not count. */
const IDENTIFIER_BYTES_MAX = 64 << 10
/** A stream may be open for weeks: whether its sender is still registered is asked again after this time. */
const AUTHORIZE_AGAIN_MS = 5_000
/** What a stream that is gone left behind is tried for so long, and is lost then. */
const GIVE_UP_AFTER_MS = 60_000

const RECEIVER = 'als'

/** `StreamAccessLogsMessage` (envoy/service/accesslog/v3/als.proto): who sends, and HTTP or TCP entries. */
const IDENTIFIER = 1
const ENTRY_KINDS = [2, 3]
/** `Identifier.node.extensions` (envoy/config/core/v3/base.proto): 60 kB of names that say nothing of the sender, and would stand before each batch. */
const EXTENSIONS = [IDENTIFIER, 1, 9]

/** Entries of one kind that follow each other: one message of the envelope, with the identifier before them. */
interface Run {
  identifier: Buffer
  kind: number
  pieces: Buffer[]
  bytes: number
}

/** What a stream brought and was not handed over yet. */
interface Batch {
  runs: Run[]
  bytes: number
  holds: Hold[]
}

/**
 * Envoy's access log service. A stream is acknowledged by nobody: Envoy forgets an entry once it is written. So the stream is
 * read only as fast as its entries are stored, and Envoy, which sees that, counts and drops what passes its own buffer.
 */
export function alsService(
  context: ReceiverContext,
  source: Source,
): [ServiceDefinition, UntypedServiceImplementation] {
  const handler: handleClientStreamingCall<Buffer, Buffer> = (call, callback) => {
    new Stream(context, source, call).run().then(
      () => callback(null, Buffer.alloc(0)),
      (error: unknown) => callback(failureOf(error, context)),
    )
  }
  const path = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs'
  return [rawService({ StreamAccessLogs: path }), { StreamAccessLogs: handler }]
}

let streams = 0

class Stream {
  readonly #context: ReceiverContext
  readonly #source: Source
  readonly #call: RawCall
  /** Envoy never repeats, and two entries may well be alike: what makes this stream's batches its own. */
  readonly #salt = `${process.pid} ${performance.timeOrigin} ${streams++}`
  readonly #sending = new Set<Promise<void>>()
  #batches = 0
  #identifier: Buffer | undefined
  #batch: Batch = { runs: [], bytes: 0, holds: [] }
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(context: ReceiverContext, source: Source, call: RawCall) {
    this.#context = context
    this.#source = source
    this.#call = call
  }

  async run(): Promise<void> {
    const authorize = () => originOf(this.#context, this.#call, this.#source, RECEIVER)
    let origin = await authorize()
    let askedMs = performance.now()
    try {
      for await (const message of this.#call) {
        if (performance.now() - askedMs > AUTHORIZE_AGAIN_MS) {
          const now = await authorize()
          // What was taken so far was taken on the word that it had then.
          if (JSON.stringify(now) !== JSON.stringify(origin)) this.#flush(origin)
          origin = now
          askedMs = performance.now()
        }
        await this.#take(message as Buffer, origin)
      }
    } finally {
      this.#isOver = true
      clearTimeout(this.#timer)
      this.#flush(origin)
      await Promise.all(this.#sending)
    }
  }

  async #take(message: Buffer, origin: Origin): Promise<void> {
    const hold = await this.#patiently(() => {
      const room = this.#context.gatherer.admit(origin.sender, 'logs')
      room.grow(message.length)
      return room
    })
    this.#batch.holds.push(hold)
    this.#read(message, origin)
    if (this.#batch.bytes < BATCH_BYTES) {
      this.#timer ??= setTimeout(() => this.#onTime(origin), BATCH_MS)
      return
    }
    while (this.#sending.size >= BATCHES_MAX) await Promise.race(this.#sending)
    this.#flush(origin)
  }

  #onTime(origin: Origin): void {
    this.#timer = undefined
    if (this.#sending.size < BATCHES_MAX) this.#flush(origin)
    else this.#timer = setTimeout(() => this.#onTime(origin), BATCH_MS)
  }

  /** @throws CinchError `bad_request` */
  #read(message: Buffer, origin: Origin): void {
    const fields = fieldsOf(message)
    if (!fields || countAlong(message, [ENTRY_KINDS, [1]]) === undefined)
      throw this.#bad(origin, 'it is no message of the service')
    for (const { number, start, to } of fields) {
      if (number === IDENTIFIER) this.#identifier = withoutField(message.subarray(start, to), EXTENSIONS)
      if (!ENTRY_KINDS.includes(number)) continue
      if (!this.#identifier) throw this.#bad(origin, 'its first message does not say who sends')
      if (this.#identifier.length > IDENTIFIER_BYTES_MAX) throw this.#bad(origin, 'its identifier is too long')
      this.#append(this.#identifier, number, message.subarray(start, to))
    }
  }

  /** Counts a message that is lost, and says why. */
  #bad({ sender }: Origin, why: string): CinchError {
    this.#context.observe.dropped({ source: this.#source.id, sender, receiver: RECEIVER }, 1)
    return new CinchError('bad_request', `the stream is no access log: ${why}`, 'see its configuration')
  }

  #append(identifier: Buffer, kind: number, piece: Buffer): void {
    const last = this.#batch.runs.at(-1)
    this.#batch.bytes += piece.length
    if (last?.kind === kind && last.identifier === identifier) {
      last.pieces.push(piece)
      last.bytes += piece.length
      return
    }
    this.#batch.runs.push({ identifier, kind, pieces: [piece], bytes: piece.length })
    this.#batch.bytes += identifier.length
  }

  #flush(origin: Origin): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { runs, holds } = this.#batch
    this.#batch = { runs: [], bytes: 0, holds: [] }
    const bytes = Buffer.concat(
      runs.flatMap((run) => [fieldHead(1, run.identifier.length + run.bytes), run.identifier, ...run.pieces]),
    )
    for (const hold of holds) hold.release()
    if (bytes.length === 0) return
    const work = this.#send(bytes, origin).finally(() => this.#sending.delete(work))
    this.#sending.add(work)
  }

  /** Hands a batch over until it is stored: sent again under the same salt it counts once. */
  async #send(bytes: Buffer, origin: Origin): Promise<void> {
    const records = countAlong(bytes, [[1], ENTRY_KINDS, [1]]) ?? 0
    const salt = `${this.#salt} ${this.#batches++}`
    const about = {
      source: this.#source,
      framing: 'protobuf',
      origin,
      receiver: RECEIVER,
      bytes,
      records,
      salt,
    } as const
    await this.#patiently(async () => {
      const hold = this.#context.gatherer.admit(origin.sender, 'logs')
      try {
        hold.grow(bytes.length)
      } catch (error) {
        hold.release()
        throw error
      }
      await this.#context.gatherer.submit({ ...about, hold })
    }).catch((error: unknown) => {
      this.#context.observe.dropped({ source: this.#source.id, sender: origin.sender, receiver: RECEIVER }, records)
      if (!(error instanceof OverloadedError)) this.#context.onFault(error)
    })
  }

  /** Does something that may have to wait for room, for as long as the stream is there and a while longer. */
  async #patiently<T>(work: () => T | Promise<T>): Promise<T> {
    let overMs: number | undefined
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof OverloadedError)) throw error
        if (this.#isOver) overMs ??= performance.now()
        if (overMs !== undefined && performance.now() - overMs > GIVE_UP_AFTER_MS) throw error
        await sleep(Math.min(error.retryAfterMs, 1000))
      }
    }
  }
}
