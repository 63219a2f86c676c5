import type { OperationUsers } from '../services/model/operation.ts'
import type { Condition } from '../services/model/permission.ts'

/**
 * What was true of every user of an operation, as conditions on their tokens: the issuers, and the fewest groups of which
 * each user had one. An operation that was also used without a token gets none: its machines would be locked out.
 */
export function conditionsOf(users: OperationUsers | undefined): Condition[] {
  if (!users || users.without > 0 || users.seen.length === 0) return []
  const issuers = [...new Set(users.seen.map(({ issuer }) => issuer))].sort()
  if (issuers.includes('')) return []
  const groups = commonGroups(users.seen.map((user) => user.groups))
  return [
    { key: 'request.auth.claims[iss]', values: issuers },
    ...(groups.length > 0 ? [{ key: 'request.auth.claims[groups]', values: groups }] : []),
  ]
}

// Greedy: of the groups that most of the users left have, the first by name. None where a user has no group at all.
function commonGroups(users: string[][]): string[] {
  const chosen: string[] = []
  let left = users
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
