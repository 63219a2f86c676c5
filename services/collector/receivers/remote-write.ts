import { CinchError } from '../../model/errors.ts'
import { inflateSnappy } from './snappy.ts'

/** A request of remote write, inflated. Prometheus sends 2,000 samples at most in one, some 400 kB. */
export const WRITE_BYTES_MAX = 32 << 20

/**
 * Reads a request of Prometheus remote write 1.0 down to its series: unpacks it, and leaves out metadata, so that requests after
 * one another are one. What is in a series is the engine's to parse.
 * @param body the request's body, a block of snappy
 * @param reserve told how many bytes it will inflate to, before it does; may throw
 * @returns the series, each in its frame; empty when there are none
 * @throws CinchError `bad_option` for another encoding or version, `bad_file` for damaged bytes: neither is to be sent again
 */
export function readWriteRequest(
  headers: Record<string, string | string[] | undefined>,
  body: Buffer,
  reserve: (bytes: number) => void = () => {},
): Buffer {
  const version = String(headers['x-prometheus-remote-write-version'] ?? '0.1.0')
  const type = String(headers['content-type'] ?? '')
  if (headers['content-encoding'] !== 'snappy' || /io\.prometheus\.write\.v2/.test(type) || !/^0\.|^1\./.test(version))
    throw new CinchError(
      'bad_option',
      'this is no remote write 1.0',
      'send protobuf messages prometheus.WriteRequest, packed with snappy (protobuf_message: prometheus.WriteRequest)',
    )
  return seriesOf(inflateSnappy(body, WRITE_BYTES_MAX, reserve))
}

const TIMESERIES = 1
const LENGTH_DELIMITED = 2

/** The `timeseries` of a WriteRequest, without its other fields. */
export function seriesOf(message: Buffer): Buffer {
  const kept: Buffer[] = []
  for (let at = 0; at < message.length; ) {
    const field = fieldAt(message, at)
    if (field.id === TIMESERIES) {
      if (field.wireType !== LENGTH_DELIMITED) throw damaged()
      kept.push(message.subarray(at, field.end))
    }
    at = field.end
  }
  return kept.length === 1 && kept[0]?.length === message.length ? message : Buffer.concat(kept)
}

/** A field's number, wire type and end. (protobuf.dev, encoding: varint 0, 64 bits 1, length-delimited 2, 32 bits 5) */
function fieldAt(message: Buffer, at: number): { id: number; wireType: number; end: number } {
  const tag = varint(message, at)
  const wireType = tag.value & 7
  const id = Math.floor(tag.value / 8)
  const end = endOf(message, tag.end, wireType)
  if (id === 0 || end > message.length) throw damaged()
  return { id, wireType, end }
}

function endOf(message: Buffer, at: number, wireType: number): number {
  if (wireType === 0) return varint(message, at).end
  if (wireType === 1) return at + 8
  if (wireType === 5) return at + 4
  if (wireType !== LENGTH_DELIMITED) throw damaged()
  const length = varint(message, at)
  return length.end + length.value
}

function varint(message: Buffer, at: number): { value: number; end: number } {
  let value = 0
  for (let index = 0; index < 10; index++) {
    const byte = message[at + index]
    if (byte === undefined) break
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value, end: at + index + 1 }
  }
  throw damaged()
}

const damaged = () =>
  new CinchError('bad_file', 'the body is no WriteRequest', 'send protobuf messages prometheus.WriteRequest')
