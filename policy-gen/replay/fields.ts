import { PolicyError } from '../errors.ts'

/** Where in which file a value stands, for messages. */
export interface Reader {
  file: string
  at: string
}

export function field(reader: Reader, name: string): Reader {
  return { file: reader.file, at: `${reader.at}: ${name}` }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws PolicyError `bad_policy` */
export function fail(reader: Reader, problem: string): never {
  throw new PolicyError('bad_policy', `${reader.at} ${problem}`, reader.file)
}

/**
 * The value as an object with none but the given fields. The API server drops a field that it does not know, so a
 * misspelt `method` would leave a rule without methods: wider than written.
 */
export function optionalRecord(
  value: unknown,
  reader: Reader,
  known?: readonly string[],
): Record<string, unknown> | undefined {
  if (value === undefined) return undefined
  if (!isRecord(value)) fail(reader, 'must be an object')
  const stray = known && Object.keys(value).find((key) => !known.includes(key))
  if (stray !== undefined) fail(reader, `has the unknown field ${JSON.stringify(stray)}; valid: ${known?.join(', ')}`)
  return value
}

export function optionalList(value: unknown, reader: Reader, itemsMax: number): unknown[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) fail(reader, 'must be a list')
  if (value.length > itemsMax) fail(reader, `has ${value.length} items; at most ${itemsMax} are taken`)
  return value
}

/** A list of strings that are not empty. Numbers are not taken for strings: the API server does not either. */
export function strings(value: unknown, reader: Reader): string[] {
  const list = optionalList(value, reader, Number.POSITIVE_INFINITY) ?? []
  return list.map((item) => {
    if (typeof item !== 'string') fail(reader, `must hold strings; quote ${JSON.stringify(item)}`)
    if (item === '') fail(reader, 'holds an empty value')
    return item
  })
}

export function stringMap(value: unknown, reader: Reader): Record<string, string> {
  const record = optionalRecord(value ?? undefined, reader) ?? {}
  return Object.fromEntries(
    Object.entries(record).map(([key, item]) => {
      if (typeof item !== 'string') fail(reader, `has a value that is no string; quote ${JSON.stringify(item)}`)
      return [key, item]
    }),
  )
}

export function requiredString(value: unknown, reader: Reader): string {
  if (typeof value !== 'string' || value === '') fail(reader, 'must be a string that is not empty')
  return value
}
