import { framed } from './protobuf.ts'

/**
 * The file format of the OpenTelemetry Collector's file exporter in protobuf: each request behind its length in four bytes,
 * big-endian. Taken off, what remains is requests after one another.
 */
export function startsAsCollectorFile(beginning: Buffer): boolean {
  return beginning.length > 4 && beginning[4] === 0x0a && beginning[0] === 0x00
}

/**
 * The requests without their lengths. A length that the file does not keep ends the reading of it: its rest is passed on as it
 * is. A request that is damaged is framed as one message, so that it takes none of its neighbours along.
 */
export async function* messagesOfCollectorFile(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const part of bytes) {
    rest = rest.length === 0 ? part : Buffer.concat([rest, part])
    for (
      let length = messageLength(rest);
      length !== undefined && rest.length >= 4 + length;
      length = messageLength(rest)
    ) {
      yield framed(rest.subarray(4, 4 + length))
      rest = rest.subarray(4 + length)
    }
  }
  if (rest.length > 0) yield rest
}

function messageLength(bytes: Buffer): number | undefined {
  return bytes.length >= 4 ? bytes.readUInt32BE(0) : undefined
}
