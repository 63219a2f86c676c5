import { fail, field, type Reader } from '../fields.ts'
import { exactPath, type PathMatcher, prefixPath, suffixPath } from '../paths.ts'
import { matchesSequence, readSequence, type Sequence, sequencePath } from '../sequence.ts'
import { fromBoolean, type Tri } from '../tri.ts'
import { message, oneOf } from './proto.ts'

/** envoy.type.matcher.v3.StringMatcher. */
export type StringPattern =
  | { is: 'exact' | 'prefix' | 'suffix' | 'contains'; text: string; ignoreCase: boolean }
  | { is: 'regex'; regex: string; sequence: Sequence | null }
  | { is: 'open' }

const KINDS = ['exact', 'prefix', 'suffix', 'contains'] as const

export function readStringMatcher(value: unknown, reader: Reader): StringPattern {
  const { ignore_case: ignoreCase = false, ...rest } = message(value, reader, [
    ...KINDS,
    'safe_regex',
    'custom',
    'ignore_case',
  ])
  if (typeof ignoreCase !== 'boolean') fail(field(reader, 'ignore_case'), 'must be true or false')
  const [name, pattern] = oneOf(rest, reader, [...KINDS, 'safe_regex', 'custom'])
  if (name === 'custom') return { is: 'open' }
  if (name === 'safe_regex') {
    if (ignoreCase) fail(field(reader, 'ignore_case'), 'has no effect on a regular expression')
    return readRegex(pattern, field(reader, name))
  }
  if (typeof pattern !== 'string') fail(field(reader, name), 'must be a string')
  // An empty prefix is every string, and Envoy refuses it.
  if (pattern === '' && name !== 'exact') fail(field(reader, name), 'must not be empty')
  const is = KINDS.find((kind) => kind === name) ?? 'exact'
  return { is, text: pattern, ignoreCase }
}

export function readRegex(value: unknown, reader: Reader): StringPattern {
  const { regex } = message(value, reader, ['regex', 'google_re2'])
  if (typeof regex !== 'string' || regex === '') fail(field(reader, 'regex'), 'must be a string that is not empty')
  return { is: 'regex', regex, sequence: readSequence(regex) }
}

/** Whether a string that is known matches. */
export function matchesString(pattern: StringPattern, value: string): Tri {
  if (pattern.is === 'open') return 'unknown'
  if (pattern.is === 'regex')
    return pattern.sequence ? fromBoolean(matchesSequence(pattern.sequence, value)) : 'unknown'
  const [text, own] = pattern.ignoreCase ? [lower(pattern.text), lower(value)] : [pattern.text, value]
  if (pattern.is === 'exact') return fromBoolean(own === text)
  if (pattern.is === 'prefix') return fromBoolean(own.startsWith(text))
  return fromBoolean(pattern.is === 'suffix' ? own.endsWith(text) : own.includes(text))
}

/** The same of a path, which may be a shape that stands for many. */
export function pathOf(pattern: StringPattern): PathMatcher {
  if (pattern.is === 'open') return () => 'unknown'
  if (pattern.is === 'regex') return sequencePath(pattern.sequence)
  const shape = pattern.ignoreCase ? null : shapes(pattern)
  return (path) => (path.literal ? matchesString(pattern, path.text) : (shape?.(path) ?? 'unknown'))
}

function shapes({ is, text }: { is: string; text: string }): PathMatcher | null {
  if (is === 'exact') return exactPath(text)
  if (is === 'prefix') return prefixPath(text)
  return is === 'suffix' ? suffixPath(text) : null
}

// Envoy folds ASCII only.
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
