/**
 * The outer framing of OTLP requests in protobuf. A request is a sequence of `resource_spans` (field 1, length-delimited), and
 * requests after one another are one request, so a chunk may be cut between any two of them without looking inside.
 * (protobuf encoding: tag 0x0a, a varint length, the message)
 */

/** Where each top-level message ends; stops at the first byte that is no such message. */
export function frameEnds(bytes: Uint8Array): number[] {
  const ends: number[] = []
  let at = 0
  while (at < bytes.length) {
    const end = frameEnd(bytes, at)
    if (end === undefined || end > bytes.length) break
    ends.push(end)
    at = end
  }
  return ends
}

/** The end of the message that begins at `at`; undefined when none begins there or its length is not wholly there yet. */
function frameEnd(bytes: Uint8Array, at: number): number | undefined {
  if (bytes[at] !== 0x0a) return undefined
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + 1 + index]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * 2 ** (7 * index)
    if ((byte & 0x80) === 0) return at + 2 + index + length
  }
  return undefined
}

/**
 * What to put before a request: nothing where it consists of whole messages; else the head of one message, which the engine
 * then refuses alone.
 */
export function frameHead(request: Buffer): number[] {
  if ((frameEnds(request).at(-1) ?? 0) === request.length) return []
  const head = [0x0a]
  let length = request.length
  for (; length > 0x7f; length = Math.floor(length / 128)) head.push((length & 0x7f) | 0x80)
  return [...head, length]
}

/** A request as whole messages: see `frameHead`. */
export function framed(request: Buffer): Buffer {
  const head = frameHead(request)
  return head.length === 0 ? request : Buffer.concat([Buffer.from(head), request])
}

/** Cuts a chunk in two between messages, at the one nearest to its middle; undefined when it is a single message. */
export function halves(bytes: Uint8Array): [Uint8Array, Uint8Array] | undefined {
  const ends = frameEnds(bytes).filter((end) => end < bytes.length)
  if (ends.length === 0) return undefined
  const cut = ends[Math.floor((ends.length - 1) / 2)] ?? 0
  return [bytes.subarray(0, cut), bytes.subarray(cut)]
}
