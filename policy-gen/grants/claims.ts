import type { Condition } from '../../services/model/permission.ts'
import type { Loss } from '../targets/target.ts'
import type { CalleeGrants } from './grants.ts'
import { calleeLoss } from './loss.ts'

/** The claim that a condition looks at (`groups` of `request.auth.claims[groups]`), null where it looks at something else. */
export function claimOf({ key }: Pick<Condition, 'key'>): string | null {
  return /^request\.auth\.claims\[([\w-]+)\]$/.exec(key)?.[1] ?? null
}

/** True for a value that a token can have and every reader takes for the same: half a character is none. */
export function isClaimValue(value: string): boolean {
  return value !== '' && value.isWellFormed()
}

/** True where no character ends a line or is none to some reader of YAML. */
export function isOneLine(value: string): boolean {
  return !/[\p{C}\p{Zl}\p{Zp}]/u.test(value)
}

/** The issuers whose tokens a callee's conditions look at, as they were seen there; null where none looks at tokens. */
export function issuersAt({ permissions, grants }: CalleeGrants): string[] | null {
  const conditional = [...grants.values()].flat().some(({ when }) => when.length > 0)
  if (!conditional) return null
  const seen = permissions.flatMap(({ evidence }) => evidence.users?.issuers ?? [])
  return [...new Set(seen)].sort()
}

/** Conditions rest on tokens that somebody else verifies: says who must, and that it is not written here. */
export function verificationLoss(callees: readonly CalleeGrants[], who: string): Loss[] {
  return callees.flatMap((entry) => {
    const issuers = issuersAt(entry)
    if (!issuers) return []
    const detail = `${who} of ${issuers.map((issuer) => JSON.stringify(issuer)).join(', ')}; until then, what asks for a user is denied`
    return [calleeLoss(entry.callee, 'token_verification', 'noted', detail)]
  })
}
