import type { UserClass } from '../../services/model/users.ts'
import type { ReplayRequest } from './request.ts'
import type { Tri } from './tri.ts'

/**
 * A question to the users behind a request, null for a request without one. An operation is many requests: it is decided
 * where all are the same, and `by-user.ts` asks about the others apart.
 */
export function ofUsers(test: (user: UserClass | null) => Tri): (request: ReplayRequest) => Tri {
  return ({ users }) => {
    if (!users) return 'unknown'
    const values = new Set(users.seen.map(test))
    if (isAny(users.without)) values.add(test(null))
    if (isAny(users.untold)) values.add('unknown')
    const [only = 'unknown'] = values
    return values.size === 1 ? only : 'unknown'
  }
}

export function isAny({ requests, denied }: { requests: number; denied: number }): boolean {
  return requests + denied > 0
}
