/**
 * The ids of topics (KIP-516): Metadata version 12, which kafkajs does not speak. Sent over its connections, so that TLS and
 * SASL are as configured. (Kafka protocol guide, Metadata; compact types are of KIP-482)
 */

/** The part of kafkajs' broker that is used: what is sent is written and read by whoever sends it. */
export interface Broker {
  versions: Record<number, { maxVersion: number } | undefined> | null
  connectionPool: { send(exchange: Exchange): Promise<Map<string, string>> }
}

interface Exchange {
  request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<{ buf: Buffer; buffer: Buffer }> }
  response: { decode(payload: Buffer): Promise<Decoded>; parse(decoded: Decoded): Promise<Map<string, string>> }
}

interface Decoded {
  ids: Map<string, string>
}

const METADATA = 3
const VERSION = 12
const NO_ERROR = 0

/** The ids of those topics that exist, in hexadecimal; '' for each where the broker is older than Kafka 3.1. */
export async function askTopicIds(broker: Broker, topics: string[]): Promise<Map<string, string>> {
  if ((broker.versions?.[METADATA]?.maxVersion ?? 0) < VERSION) return new Map(topics.map((topic) => [topic, '']))
  const bytes = encodeRequest(topics)
  return await broker.connectionPool.send({
    request: {
      apiKey: METADATA,
      apiVersion: VERSION,
      apiName: 'Metadata',
      encode: async () => ({ buf: bytes, buffer: bytes }),
    },
    response: { decode: async (payload) => ({ ids: decodeResponse(payload) }), parse: async ({ ids }) => ids },
  })
}

function encodeRequest(topics: string[]): Buffer {
  const noTags = Buffer.from([0])
  const asked = topics.flatMap((topic) => [
    Buffer.alloc(16), // no id: asked for by name
    uvarint(Buffer.byteLength(topic) + 1),
    Buffer.from(topic),
    noTags,
  ])
  // The head's tags; the topics; no creation of topics, no authorized operations, no tags.
  return Buffer.concat([noTags, uvarint(topics.length + 1), ...asked, Buffer.from([0, 0]), noTags])
}

function uvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

function decodeResponse(payload: Buffer): Map<string, string> {
  const reader = createReader(payload)
  const ids = new Map<string, string>()
  reader.tags()
  reader.skip(4) // throttle time
  reader.array(() => {
    reader.skip(4) // node id
    reader.text()
    reader.skip(4) // port
    reader.text()
    reader.tags()
  })
  reader.text() // cluster id
  reader.skip(4) // controller id
  reader.array(() => {
    const error = reader.int16()
    const topic = reader.text()
    const id = reader.hex(16)
    reader.skip(1) // is it internal
    reader.array(() => {
      reader.skip(2 + 4 + 4 + 4) // error, partition, leader, leader's epoch
      for (let list = 0; list < 3; list++) reader.array(() => reader.skip(4)) // replicas
      reader.tags()
    })
    reader.skip(4) // authorized operations
    reader.tags()
    if (error === NO_ERROR) ids.set(topic, id)
  })
  return ids
}

/** Reads compact types one after another; beyond the end, Buffer's own methods throw. */
function createReader(bytes: Buffer) {
  let at = 0
  const take = (length: number) => {
    if (at + length > bytes.length) throw new RangeError('the answer ends too early')
    const taken = bytes.subarray(at, at + length)
    at += length
    return taken
  }
  const readUvarint = () => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = take(1)[0] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    return value
  }
  return {
    skip: (length: number) => void take(length),
    int16: () => take(2).readInt16BE(),
    hex: (length: number) => take(length).toString('hex'),
    /** Null is as good as empty here. */
    text: () => take(Math.max(0, readUvarint() - 1)).toString('utf8'),
    array: (readItem: () => void) => {
      for (let left = readUvarint() - 1; left > 0; left--) readItem()
    },
    tags: () => {
      for (let left = readUvarint(); left > 0; left--) {
        readUvarint()
        take(readUvarint())
      }
    },
  }
}
