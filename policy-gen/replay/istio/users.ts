import type { OperationUsers } from '../../../services/model/operation.ts'
import type { ReplayRequest } from '../request.ts'
import { some, type Tri } from '../tri.ts'
import { anyOf, stringMatcher } from './strings.ts'

type User = OperationUsers['seen'][number]
type Test = (request: ReplayRequest) => Tri

/**
 * `request.auth.claims[…]`: of a token, telemetry tells the issuer and the groups. A request without a token has no claim.
 *
 * @returns null for a key that is no claim
 */
export function claimTest(key: string, patterns: readonly string[]): Test | null {
  if (!key.startsWith('request.auth.claims[')) return null
  const matcher = anyOf(patterns, stringMatcher)
  if (key === 'request.auth.claims[iss]') return ofUsers(({ issuer }) => matcher(issuer))
  if (key === 'request.auth.claims[groups]') return ofUsers(({ groups }) => some(groups, matcher))
  return ofUsers(() => 'unknown')
}

/** `requestPrincipals`: `<issuer>/<subject>`, of which the subject is not kept; `*` is any token. */
export function requestPrincipalTest(patterns: readonly string[]): Test {
  const any = patterns.includes('*')
  const issuers = patterns.filter((pattern) => pattern.endsWith('/*') && !pattern.startsWith('*'))
  const whole = new Set(issuers.map((pattern) => pattern.slice(0, -'/*'.length)))
  const open = patterns.some((pattern) => pattern !== '*' && !issuers.includes(pattern))
  return ofUsers(({ issuer }) => (any || whole.has(issuer) ? 'yes' : open ? 'unknown' : 'no'))
}

// An operation is many requests: decided where all are the same.
function ofUsers(test: (user: User) => Tri): Test {
  return ({ users }) => {
    if (!users) return 'unknown'
    const values = new Set(users.seen.map(test))
    if (users.without > 0) values.add('no')
    const [only = 'unknown'] = values
    return values.size === 1 ? only : 'unknown'
  }
}

/** Whether the tokens' issuers are among those that are trusted: a token of another one is answered with 401. */
export function trusted(users: OperationUsers, issuers: ReadonlySet<string>): Tri {
  const known = new Set(users.seen.map(({ issuer }) => issuers.has(issuer)))
  if (users.without > 0) known.add(true)
  if (known.size > 1) return 'unknown'
  return known.has(false) ? 'no' : 'yes'
}
