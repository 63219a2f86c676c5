import { fail, field, type Reader, requiredString } from '../fields.ts'
import type { ReplayRequest } from '../request.ts'
import { fromBoolean, not, type Tri } from '../tri.ts'
import { about, type Check } from './checks.ts'
import { message, oneOf } from './proto.ts'
import { matchesString, readRegex, readStringMatcher, type StringPattern } from './strings.ts'

const KINDS = [
  'string_match',
  'present_match',
  'exact_match',
  'prefix_match',
  'suffix_match',
  'contains_match',
  'safe_regex_match',
  'range_match',
]

/** envoy.config.route.v3.HeaderMatcher: of the headers, telemetry tells the method and the path without its query. */
export function readHeader(value: unknown, reader: Reader): Check {
  const {
    name: written,
    invert_match: invert = false,
    treat_missing_header_as_empty: empty = false,
    ...rest
  } = message(value, reader, ['name', 'invert_match', 'treat_missing_header_as_empty', ...KINDS])
  const name = requiredString(written, field(reader, 'name')).toLowerCase()
  if (typeof invert !== 'boolean') fail(field(reader, 'invert_match'), 'must be true or false')
  if (typeof empty !== 'boolean') fail(field(reader, 'treat_missing_header_as_empty'), 'must be true or false')
  // Without a kind it asks for presence.
  const [kind, match] = Object.keys(rest).length === 0 ? ['present_match', true] : oneOf(rest, reader, KINDS)
  const test = kind === 'present_match' ? presence(name, match, field(reader, kind)) : values(name, kind, match, reader)
  return about(name === ':method' ? 'the method' : name === ':path' ? 'the path' : `the header ${name}`, (request) =>
    invert ? not(test(request)) : test(request),
  )
}

type Test = (request: ReplayRequest) => Tri

function presence(name: string, wanted: unknown, reader: Reader): Test {
  if (typeof wanted !== 'boolean') fail(reader, 'must be true or false')
  const always = [':method', ':path', ':authority', ':scheme'].includes(name)
  return always ? () => fromBoolean(wanted) : () => 'unknown'
}

function values(name: string, kind: string, match: unknown, reader: Reader): Test {
  if (kind === 'range_match') return () => 'unknown'
  const pattern = patternOf(kind, match, field(reader, kind))
  if (name === ':method') return ({ method }) => (method === '' ? 'unknown' : matchesString(pattern, method))
  if (name === ':path') return (request) => withQuery(pattern, request)
  return () => 'unknown'
}

function patternOf(kind: string, match: unknown, reader: Reader): StringPattern {
  if (kind === 'string_match') return readStringMatcher(match, reader)
  if (kind === 'safe_regex_match') return readRegex(match, reader)
  return readStringMatcher({ [kind.replace('_match', '')]: match }, reader)
}

// `:path` has the query, which is never stored: only what the path alone decides is decided.
function withQuery(pattern: StringPattern, { path }: ReplayRequest): Tri {
  if (!path.known || !path.literal || pattern.is === 'open' || pattern.is === 'regex') return 'unknown'
  const { is, text, ignoreCase } = pattern
  if (is === 'prefix' && matchesString(pattern, path.text) === 'yes') return 'yes'
  if (is === 'contains' && matchesString(pattern, path.text) === 'yes') return 'yes'
  if (is === 'suffix' || is === 'contains') return 'unknown'
  const before = text.split('?')[0] ?? ''
  const same = matchesString({ is: 'exact', text: before, ignoreCase }, path.text)
  return same === 'yes' ? 'unknown' : 'no'
}
