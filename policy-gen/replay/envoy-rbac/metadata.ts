import type { UserClass } from '../../../services/model/users.ts'
import { fail, field, type Reader, requiredString } from '../fields.ts'
import { fromBoolean, not, some, type Tri } from '../tri.ts'
import { ofUsers } from '../users.ts'
import { about, type Check, untold } from './checks.ts'
import { items, message, oneOf } from './proto.ts'
import { matchesString, readStringMatcher, type StringPattern } from './strings.ts'

const TOKENS = 'envoy.filters.http.jwt_authn'
/** Under which name a token's claims are left behind (`payload_in_metadata`): Istio's, and the one that the target asks for. */
const PAYLOAD = 'payload'
const KINDS = ['null_match', 'double_match', 'string_match', 'bool_match', 'present_match', 'list_match', 'or_match']

/** A value in metadata: not there, a text, or a list of texts; `open` where there may be more of them. */
type Value = { is: 'absent' } | { is: 'text'; text: string } | { is: 'list'; texts: readonly string[]; open: boolean }

/**
 * envoy.type.matcher.v3.MetadataMatcher: of what other filters leave behind, telemetry tells of verified tokens the issuer, the
 * groups and `acr`, and whether there was one.
 */
export function readMetadata(value: unknown, reader: Reader): Check {
  const {
    filter,
    path: keys,
    value: pattern,
    invert = false,
  } = message(value, reader, ['filter', 'path', 'value', 'invert'])
  const name = requiredString(filter, field(reader, 'filter'))
  if (typeof invert !== 'boolean') fail(field(reader, 'invert'), 'must be true or false')
  const path = items(keys, field(reader, 'path'), (item, at) =>
    requiredString(message(item, at, ['key'])['key'], field(at, 'key')),
  )
  const matches = readValueMatcher(pattern, field(reader, 'value'))
  const [payload, claim, ...deeper] = path
  if (name !== TOKENS || payload !== PAYLOAD || deeper.length > 0) return untold('metadata of other filters')
  const test = (user: UserClass | null): Tri => agreed(valuesOf(user, claim).map(matches))
  return about(
    "the end user's token",
    ofUsers((user) => (invert ? not(test(user)) : test(user))),
  )
}

/** envoy.rbac.v3.SourcedMetadata: of a route's own metadata nothing is told. */
export function readSourcedMetadata(value: unknown, reader: Reader): Check {
  const { metadata_matcher: matcher, metadata_source: source = 'DYNAMIC' } = message(value, reader, [
    'metadata_matcher',
    'metadata_source',
  ])
  const check = readMetadata(matcher, field(reader, 'metadata_matcher'))
  return source === 'DYNAMIC' || source === 0 ? check : untold('metadata of the route')
}

/** All that a claim can be in the metadata; one group may stand as a text or as a list. Nothing where it was not told. */
function valuesOf(user: UserClass | null, claim: string | undefined): Value[] {
  if (!user) return [{ is: 'absent' }]
  // All claims together are neither a text nor a list.
  if (claim === undefined) return [{ is: 'list', texts: [], open: false }]
  if (claim === 'iss') return [textOf(user.issuer)]
  if (claim === 'acr') return user.acr === null ? [] : [textOf(user.acr)]
  const { groups, moreGroups: open } = user
  if (claim !== 'groups' || groups === null) return []
  const list: Value = { is: 'list', texts: groups, open }
  const [only = ''] = groups
  if (groups.length > 1 || open) return [list]
  return [list, textOf(only)]
}

function textOf(text: string): Value {
  return text === '' ? { is: 'absent' } : { is: 'text', text }
}

function agreed(values: readonly Tri[]): Tri {
  const [first = 'unknown'] = values
  return values.every((value) => value === first) ? first : 'unknown'
}

/** envoy.type.matcher.v3.ValueMatcher; numbers, truth values and null are not kept, and no text is one. */
function readValueMatcher(value: unknown, reader: Reader): (value: Value) => Tri {
  const [kind, inner] = oneOf(value, reader, KINDS)
  const at = field(reader, kind)
  switch (kind) {
    case 'string_match': {
      const pattern: StringPattern = readStringMatcher(inner, at)
      return (own) => (own.is === 'text' ? matchesString(pattern, own.text) : 'no')
    }
    case 'list_match': {
      const one = readValueMatcher(message(inner, at, ['one_of'])['one_of'], field(at, 'one_of'))
      return (own) => {
        if (own.is !== 'list') return 'no'
        const found = some(own.texts, (text) => one({ is: 'text', text }))
        return found === 'no' && own.open ? 'unknown' : found
      }
    }
    case 'or_match': {
      const list = items(message(inner, at, ['value_matchers'])['value_matchers'], at, readValueMatcher)
      return (own) => some(list, (matches) => matches(own))
    }
    case 'present_match':
      return (own) => (inner === true ? fromBoolean(own.is !== 'absent') : 'unknown')
    default:
      return (own) => (own.is === 'text' ? 'no' : 'unknown')
  }
}
