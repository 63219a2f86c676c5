import { fail, field, isRecord, optionalList, type Reader } from '../fields.ts'

/**
 * A message as protobuf's JSON has it: names in snake_case or lowerCamelCase. Envoy refuses a field that it does not know,
 * and a name in both spellings.
 */
export function message(value: unknown, reader: Reader, known: readonly string[]): Record<string, unknown> {
  if (!isRecord(value)) fail(reader, 'must be an object')
  const entries = Object.entries(value)
    .filter(([, item]) => item !== null)
    .map(([name, item]) => [snakeCase(name), item] as const)
  const stray = entries.find(([name]) => !known.includes(name))
  if (stray) fail(reader, `has the unknown field ${JSON.stringify(stray[0])}; valid: ${known.join(', ')}`)
  const record = Object.fromEntries(entries)
  if (Object.keys(record).length < entries.length) fail(reader, 'has a field in both spellings')
  return record
}

function snakeCase(name: string): string {
  return name.startsWith('@') ? name : name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The one field that a `oneof` has. */
export function oneOf(value: unknown, reader: Reader, known: readonly string[]): [name: string, value: unknown] {
  const entries = Object.entries(message(value, reader, known))
  const [only] = entries
  if (!only || entries.length > 1) fail(reader, `must have exactly one of ${known.join(', ')}`)
  return only
}

/** A list that must not be empty, as the repeated fields of the trees. */
export function items<T>(value: unknown, reader: Reader, read: (item: unknown, at: Reader) => T): T[] {
  const list = optionalList(value, reader, Number.POSITIVE_INFINITY) ?? []
  if (list.length === 0) fail(reader, 'must hold at least one')
  return list.map((item, index) => read(item, field(reader, `[${index}]`)))
}

/** Numbers may be written as strings. */
export function integer(value: unknown, reader: Reader, max: number): number {
  const number = typeof value === 'string' && /^[0-9]{1,10}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number > max) {
    fail(reader, `must be a whole number from 0 to ${max}`)
  }
  return number
}

/** Fields with one value: a `bool` that must be true. */
export function isTrue(value: unknown, reader: Reader): void {
  if (value !== true) fail(reader, 'must be true')
}

/** The message in an `Any` (`typed_config`), when it is of the type. */
export function typedConfig(value: unknown, type: string): Record<string, unknown> | null {
  if (!isRecord(value) || value['@type'] !== `type.googleapis.com/${type}`) return null
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== '@type'))
}
