import type { IncomingMessage } from 'node:http'
import { pipeline, type Transform } from 'node:stream'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { CinchError } from '../../model/errors.ts'
import type { Hold } from '../gather/budget.ts'

/** A request has at most so many bytes, as sent and after unpacking. */
export const REQUEST_BYTES_MAX = 64 << 20
/** A zstd frame may ask for a window of memory; 8 MiB is what every decoder must give (RFC 8878, section 3.1.1.1.2). */
const ZSTD_WINDOW_LOG_MAX = 23
const UNPACKED_CHUNK_BYTES = 256 << 10

const UNPACKERS: Record<string, () => Transform> = {
  gzip: () => createGunzip({ chunkSize: UNPACKED_CHUNK_BYTES }),
  'x-gzip': () => createGunzip({ chunkSize: UNPACKED_CHUNK_BYTES }),
  zstd: () =>
    createZstdDecompress({
      chunkSize: UNPACKED_CHUNK_BYTES,
      params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
    }),
}

/** Encodings of a body that are understood, as `Accept-Encoding` tells them. */
export const ENCODINGS = 'gzip, zstd, identity'
export const isEncoding = (name: string) => name === '' || name === 'identity' || Object.hasOwn(UNPACKERS, name)

/**
 * Reads a body and unpacks it. Every byte that is kept is drawn from `hold` before: many requests, slow ones and bombs
 * cannot take more memory than there is.
 * @throws CinchError `too_large`, `bad_request` (damaged, or it broke off); OverloadedError `memory`
 */
export async function readBody(request: IncomingMessage, encoding: string, hold: Hold): Promise<Buffer> {
  let sent = 0
  const counted = async function* () {
    // Not destroyed when it is refused half-way: the socket would go with it, and the answer.
    for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sent += part.length
      if (sent > REQUEST_BYTES_MAX) throw tooLarge()
      yield part
    }
  }
  const unpacker = UNPACKERS[encoding]?.()
  const parts: Buffer[] = []
  let size = 0
  let failure: unknown
  const bytes: AsyncIterable<Buffer> = unpacker
    ? pipeline(counted(), unpacker, (error) => {
        failure = error
      })
    : counted()
  try {
    for await (const part of bytes) {
      size += part.length
      if (size > REQUEST_BYTES_MAX) throw tooLarge()
      hold.grow(part.length)
      parts.push(part)
    }
  } catch (error) {
    if (error instanceof CinchError) throw error
    if (failure instanceof CinchError) throw failure
    const why = error instanceof Error ? error.message : String(error)
    throw new CinchError('bad_request', `the body cannot be read: ${why}`, 'see that it is sent whole', {
      cause: error,
    })
  }
  const [first] = parts
  return parts.length === 1 && first ? first : Buffer.concat(parts, size)
}

export const tooLarge = () =>
  new CinchError('too_large', `the request has more than ${REQUEST_BYTES_MAX} bytes`, 'send less in one request')
