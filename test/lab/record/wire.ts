/** Protobuf's outer form, as far as samples are cut with it. (protobuf.dev/programming-guides/encoding) */

interface Field {
  id: number
  /** With its tag. */
  bytes: Buffer
  /** Of a length-delimited field: what is in it. */
  content: Buffer
}

function varintAt(bytes: Buffer, at: number): [value: number, end: number] {
  let value = 0
  for (let shift = 0, end = at; ; shift += 7) {
    const byte = bytes[end++]
    if (byte === undefined) throw new Error('the message ends within a number')
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) return [value, end]
  }
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    const [tag, body] = varintAt(bytes, at)
    const [length, content] = tag % 8 === 2 ? varintAt(bytes, body) : [0, body]
    const end =
      tag % 8 === 2 ? content + length : tag % 8 === 0 ? varintAt(bytes, body)[1] : body + (tag % 8 === 1 ? 8 : 4)
    fields.push({ id: Math.floor(tag / 8), bytes: bytes.subarray(at, end), content: bytes.subarray(content, end) })
    at = end
  }
  return fields
}

/** A message as a length-delimited field. */
export function framed(id: number, content: Buffer): Buffer {
  const head: number[] = []
  let rest = content.length
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) head.push((rest & 0x7f) | 0x80)
  return Buffer.concat([Buffer.from([id * 8 + 2, ...head, rest]), content])
}

/** A message with the fields on `path` replaced by what `change` makes of their content; left out where that is undefined. */
export function changed(
  bytes: Buffer,
  [id, ...path]: number[],
  change: (content: Buffer) => Buffer | undefined,
): Buffer {
  return Buffer.concat(
    fieldsOf(bytes).map((field) => {
      if (field.id !== id) return field.bytes
      const content = path.length > 0 ? changed(field.content, path, change) : change(field.content)
      return content ? framed(field.id, content) : Buffer.alloc(0)
    }),
  )
}
