import type { Condition } from '../services/model/permission.ts'
import { type Counts, distinctUsers, type OperationUsers, type SeenUsers } from '../services/model/users.ts'

/** Distinct users that a condition stands on at least: one user's habits are no rule for all. */
export const USERS_MIN = 3
/** More cannot be told from each other (`distinctUsers`). */
export const USERS_MIN_MAX = 1_000

/** What users of an operation have in common, as conditions on their tokens; none, and why. */
export interface Conditioned {
  conditions: Condition[]
  /** Why there is none. */
  unconditional?: string
}

/**
 * What was true of every user of an operation, as conditions on their tokens: the issuers, and the fewest groups of which
 * each user had one. An operation that was also used without a token gets none: its machines would be locked out. What was
 * refused, or answered that there is nothing, teaches nothing.
 *
 * @param usersMin distinct users, fewer of whom give no condition
 */
export function conditionsOf(users: OperationUsers | undefined, usersMin: number): Conditioned {
  if (!users) return none('nobody told whether requests carried users')
  const seen = users.seen.filter(isServed)
  if (seen.length === 0) return none('no request carried a user')
  if (isServed(users.without)) return none('some requests carried no user')
  if (isServed(users.untold)) return none('of some requests nobody told whether they carried a user')
  const issuers = [...new Set(seen.map(({ issuer }) => issuer))].sort()
  if (issuers.includes('')) return none('of some users no token’s issuer is known')
  const distinct = distinctUsers(seen.map(({ marks }) => marks))
  if (distinct < usersMin) return none(`${distinct} distinct users are too few: ${usersMin} are asked for`)
  const groups = commonGroups(seen)
  return {
    conditions: [
      { key: 'request.auth.claims[iss]', values: issuers },
      ...(groups.length > 0 ? [{ key: 'request.auth.claims[groups]', values: groups }] : []),
    ],
  }
}

/** True for an operation that was used, every time without a user where one would have been told. */
export function isMachines(users: OperationUsers | undefined): boolean {
  if (!users || users.seen.some(isServed) || isServed(users.untold)) return false
  return isServed(users.without)
}

const none = (unconditional: string): Conditioned => ({ conditions: [], unconditional })

function isServed({ requests, notFound }: Counts): boolean {
  return requests > notFound
}

// Greedy: of the groups that most of the users left have, the first by name. None where a user has no group at all.
function commonGroups(seen: readonly SeenUsers[]): string[] {
  const chosen: string[] = []
  let left = seen.map(({ groups }) => groups ?? [])
  while (left.length > 0) {
    const counts = new Map<string, number>()
    for (const groups of left) for (const group of new Set(groups)) counts.set(group, (counts.get(group) ?? 0) + 1)
    const [best] = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    if (!best || left.some((groups) => groups.length === 0)) return []
    chosen.push(best[0])
    left = left.filter((groups) => !groups.includes(best[0]))
  }
  return chosen.sort()
}
