import type { OperationUsers, UserClass } from '../../../services/model/users.ts'
import type { ReplayRequest } from '../request.ts'
import { fromBoolean, some, type Tri } from '../tri.ts'
import { isAny, ofUsers } from '../users.ts'
import { anyOf, stringMatcher } from './strings.ts'

type Test = (request: ReplayRequest) => Tri

/**
 * `request.auth.claims[…]`: of a token, telemetry tells the issuer, the groups and `acr`. A request without a token has no claim.
 *
 * @returns null for a key that is no claim
 */
export function claimTest(key: string, patterns: readonly string[]): Test | null {
  if (!key.startsWith('request.auth.claims[')) return null
  const matcher = anyOf(patterns, stringMatcher)
  if (key === 'request.auth.claims[iss]') return ofTokens(({ issuer }) => matcher(issuer))
  if (key === 'request.auth.claims[acr]') return ofTokens(({ acr }) => (acr === null ? 'unknown' : matcher(acr)))
  if (key === 'request.auth.claims[groups]') {
    return ofTokens(({ groups, moreGroups }) => {
      const found = groups ? some(groups, matcher) : 'unknown'
      return found === 'no' && moreGroups ? 'unknown' : found
    })
  }
  return ofTokens(() => 'unknown')
}

/** `requestPrincipals`: `<issuer>/<subject>`, of which the subject is not kept; `*` is any token. */
export function requestPrincipalTest(patterns: readonly string[]): Test {
  const any = patterns.includes('*')
  const issuers = patterns.filter((pattern) => pattern.endsWith('/*') && !pattern.startsWith('*'))
  const whole = new Set(issuers.map((pattern) => pattern.slice(0, -'/*'.length)))
  const open = patterns.some((pattern) => pattern !== '*' && !issuers.includes(pattern))
  return ofTokens(({ issuer }) => (any || whole.has(issuer) ? 'yes' : open ? 'unknown' : 'no'))
}

function ofTokens(test: (user: UserClass) => Tri): Test {
  return ofUsers((user) => (user ? test(user) : 'no'))
}

/** Whether the tokens' issuers are among those that are trusted: a token of another one is answered with 401. */
export function trusted({ without, untold, seen }: OperationUsers, issuers: ReadonlySet<string>): Tri {
  const known = new Set<Tri>(seen.map(({ issuer }) => fromBoolean(issuers.has(issuer))))
  // Where nobody told of tokens, those of served requests are taken to be good: they had passed.
  if (isAny(without) || untold.requests > 0) known.add('yes')
  if (untold.denied > 0) known.add('unknown')
  const [only = 'yes'] = known
  return known.size > 1 ? 'unknown' : only
}
