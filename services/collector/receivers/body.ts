import type { Readable } from 'node:stream'
import { CinchError } from '../../model/errors.ts'
import type { Hold } from '../gather/budget.ts'
import { isPacked, packingOf, unpackAlong, unpackWhole } from './unpack.ts'

/** A request has at most so many bytes, as sent and after unpacking. */
export const REQUEST_BYTES_MAX = 64 << 20
/** Packed bodies up to this size are unpacked in one go; the Collector's batches have some hundred kilobytes. */
const WHOLE_BYTES_MAX = 4 << 20

/**
 * Reads a body and unpacks it. Every byte that is kept is drawn from `hold` before: many requests, slow ones and bombs
 * cannot take more memory than there is.
 * @param encoding `gzip`, `zstd`, or anything else for bytes as they are; undefined: what the first bytes say
 * @throws CinchError `too_large`, `bad_request` (damaged, or it broke off); OverloadedError `memory`
 */
export async function readBody(request: Readable, encoding: string | undefined, hold: Hold): Promise<Buffer> {
  const arriving = arrivals(request, hold)
  try {
    const { parts, isAll } = await gather(arriving, WHOLE_BYTES_MAX)
    const packing = encoding ?? packingOf(parts)
    if (!isPacked(packing)) {
      const rest = isAll ? [] : (await gather(arriving, Number.POSITIVE_INFINITY)).parts
      return joined([...parts, ...rest])
    }
    const whole = isAll ? await unpackWhole(packing, joined(parts), hold, REQUEST_BYTES_MAX) : undefined
    return whole ?? joined(await gatherUnpacked(packing, handedOver(parts, arriving, hold), hold))
  } catch (error) {
    if (error instanceof CinchError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new CinchError('bad_request', `the body cannot be read: ${why}`, 'see that it is sent whole', {
      cause: error,
    })
  }
}

/** What comes in, counted. */
async function* arrivals(request: Readable, hold: Hold): AsyncGenerator<Buffer> {
  let sent = 0
  // Not destroyed when it is refused half-way: the socket would go with it, and the answer.
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    sent += part.length
    if (sent > REQUEST_BYTES_MAX) throw tooLarge()
    hold.grow(part.length)
    yield part
  }
}

/** The next bytes until there are `enough`, or all. */
async function gather(bytes: AsyncGenerator<Buffer>, enough: number): Promise<{ parts: Buffer[]; isAll: boolean }> {
  const parts: Buffer[] = []
  for (let size = 0; size < enough; ) {
    const next = await bytes.next()
    if (next.done) return { parts, isAll: true }
    parts.push(next.value)
    size += next.value.length
  }
  return { parts, isAll: false }
}

/** Bytes on their way to the unpacker, which are given back when it took them. */
async function* handedOver(parts: Buffer[], rest: AsyncIterable<Buffer>, hold: Hold): AsyncGenerator<Buffer> {
  for (const part of parts) {
    yield part
    hold.shrink(part.length)
  }
  for await (const part of rest) {
    yield part
    hold.shrink(part.length)
  }
}

async function gatherUnpacked(packing: string, packed: AsyncIterable<Buffer>, hold: Hold): Promise<Buffer[]> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of unpackAlong(packing, packed)) {
    size += part.length
    if (size > REQUEST_BYTES_MAX) throw tooLarge()
    hold.grow(part.length)
    parts.push(part)
  }
  return parts
}

function joined(parts: Buffer[]): Buffer {
  const [first] = parts
  return parts.length === 1 && first ? first : Buffer.concat(parts)
}

export const tooLarge = () =>
  new CinchError('too_large', `the request has more than ${REQUEST_BYTES_MAX} bytes`, 'send less in one request')
