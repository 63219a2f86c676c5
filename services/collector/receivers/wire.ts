/**
 * As much of the protobuf wire format as receivers need: the outer frames of a request, how many records are in it, and the
 * small messages of an answer. What is inside a record is the engine's to parse.
 * (protobuf encoding; opentelemetry-proto; google/rpc/status.proto and error_details.proto)
 */

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2
const FIXED32 = 5

/** One field of a message: its number, and where its value stands. A value without a length of its own has `wireType` 0, 1 or 5. */
interface Field {
  number: number
  wireType: number
  /** Where the field's tag begins, where its value does, and where both end. */
  start: number
  from: number
  to: number
}

/**
 * Reads the field that begins at `at` and ends within `end`.
 * @returns undefined where none does: the bytes are no message
 */
function readField(bytes: Uint8Array, at: number, end: number): Field | undefined {
  const tag = readVarint(bytes, at, end)
  if (!tag) return undefined
  const number = Math.floor(tag.value / 8)
  const wireType = tag.value % 8
  const length = wireType === LENGTH_DELIMITED ? readVarint(bytes, tag.to, end) : undefined
  const from = length?.to ?? tag.to
  const to =
    wireType === LENGTH_DELIMITED
      ? length && from + length.value
      : wireType === VARINT
        ? readVarint(bytes, from, end)?.to
        : wireType === FIXED64
          ? from + 8
          : wireType === FIXED32
            ? from + 4
            : undefined
  return number > 0 && to !== undefined && to <= end ? { number, wireType, start: at, from, to } : undefined
}

function readVarint(bytes: Uint8Array, at: number, end: number): { value: number; to: number } | undefined {
  let value = 0
  for (let index = 0; index < 10 && at + index < end; index++) {
    const byte = bytes[at + index] ?? 0
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value, to: at + index + 1 }
  }
  return undefined
}

/** The fields of a message; undefined where the bytes are none. */
export function fieldsOf(bytes: Uint8Array, from = 0, to = bytes.length): Field[] | undefined {
  const fields: Field[] = []
  for (let at = from; at < to; ) {
    const field = readField(bytes, at, to)
    if (!field) return undefined
    fields.push(field)
    at = field.to
  }
  return fields
}

/**
 * How many messages there are along a path of fields: for `[[1], [2], [2]]` how many fields 2 in fields 2 in fields 1.
 * Looks at lengths only, so it takes a microsecond for some ten records.
 * @returns undefined when the bytes along the path are no messages
 */
export function countAlong(bytes: Uint8Array, path: number[][], from = 0, to = bytes.length): number | undefined {
  const [wanted, ...deeper] = path
  if (!wanted) return 1
  let count = 0
  for (let at = from; at < to; ) {
    const field = readField(bytes, at, to)
    if (!field) return undefined
    at = field.to
    if (!wanted.includes(field.number)) continue
    if (field.wireType !== LENGTH_DELIMITED) return undefined
    const inside = deeper.length === 0 ? 1 : countAlong(bytes, deeper, field.from, field.to)
    if (inside === undefined) return undefined
    count += inside
  }
  return count
}

/**
 * A request of nothing but its field 1, which is what can stand beside others: fields that a later version of the protocol
 * may bring are left out.
 * @returns undefined when the bytes are no message
 */
export function onlyFirstField(bytes: Buffer): Buffer | undefined {
  const fields = fieldsOf(bytes)
  if (!fields) return undefined
  const wanted = fields.filter(({ number, wireType }) => number === 1 && wireType === LENGTH_DELIMITED)
  if (wanted.length === fields.length) return bytes
  return Buffer.concat(wanted.map(({ start, to }) => bytes.subarray(start, to)))
}

/**
 * A copy of a message without what stands at the end of a path of fields: for `[1, 9]` without the fields 9 of its fields 1.
 * @returns undefined when the bytes along the path are no messages
 */
export function withoutField(bytes: Buffer, [wanted, ...deeper]: number[]): Buffer | undefined {
  const fields = fieldsOf(bytes)
  if (!fields) return undefined
  const kept: Buffer[] = []
  for (const { number, wireType, start, from, to } of fields) {
    if (number !== wanted) kept.push(bytes.subarray(start, to))
    else if (deeper.length > 0) {
      const inside = wireType === LENGTH_DELIMITED ? withoutField(bytes.subarray(from, to), deeper) : undefined
      if (!inside) return undefined
      kept.push(bytesField(number, inside))
    }
  }
  return Buffer.concat(kept)
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** A field with a number for its value; zero is the default and is not written. */
const numberField = (number: number, value: number) =>
  value === 0 ? Buffer.alloc(0) : Buffer.concat([varint(number * 8 + VARINT), varint(value)])

/** The tag and length of a field of so many bytes. */
export const fieldHead = (number: number, length: number): Buffer =>
  Buffer.concat([varint(number * 8 + LENGTH_DELIMITED), varint(length)])

const bytesField = (number: number, value: Uint8Array) => Buffer.concat([fieldHead(number, value.length), value])
const textField = (number: number, value: string) =>
  value === '' ? Buffer.alloc(0) : bytesField(number, Buffer.from(value))

/** `Export…ServiceResponse`: empty when all is well; for all three signals the field numbers are the same. */
export function exportResponse(rejected: number, message: string): Buffer {
  if (rejected === 0 && message === '') return Buffer.alloc(0)
  return bytesField(1, Buffer.concat([numberField(1, rejected), textField(2, message)]))
}

/** `google.rpc.Status`; with `retryAfterMs`, a `RetryInfo` among its details. */
export function statusMessage(code: number, message: string, retryAfterMs?: number): Buffer {
  const fields = [numberField(1, code), textField(2, message)]
  if (retryAfterMs !== undefined) {
    const wholeMs = Math.ceil(retryAfterMs)
    const duration = [numberField(1, Math.floor(wholeMs / 1000)), numberField(2, (wholeMs % 1000) * 1e6)]
    const any = [
      textField(1, 'type.googleapis.com/google.rpc.RetryInfo'),
      bytesField(2, bytesField(1, Buffer.concat(duration))),
    ]
    fields.push(bytesField(3, Buffer.concat(any)))
  }
  return Buffer.concat(fields)
}
