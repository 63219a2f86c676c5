import { addCounts, type Counts, NO_COUNTS, OLDER_S, type OperationUsers, type SeenUsers } from '../../model/users.ts'
import type { OperationRow } from '../../store/queries/rollups.ts'
import type { UserRow, UserTeller } from '../../store/queries/users.ts'

/**
 * The rows with the users behind their requests. What no user's row stands for carried none, if the one who reports the edge told of users
 * by then; rows of others say nothing of users.
 */
export function withUsers(
  rows: readonly OperationRow[],
  { users, tellers }: { users: readonly UserRow[]; tellers: readonly UserTeller[] },
): readonly OperationRow[] {
  if (tellers.length === 0) return rows
  const tellerOf = new Map(tellers.map((teller) => [teller.edge, teller]))
  const usersOf = Map.groupBy(users, keyOf)
  return rows.map((row) => {
    const teller = tellerOf.get(row.edge)
    const told = teller && usersBehind(row, teller, usersOf.get(keyOf(row)) ?? [])
    return told ? { ...row, users: told } : row
  })
}

function keyOf({ edge, method, shape, path_flags }: Pick<UserRow, 'edge' | 'method' | 'shape' | 'path_flags'>): string {
  return JSON.stringify([edge, method, shape, path_flags])
}

/** @returns undefined where the counts do not fit each other: what was counted before users were has none */
function usersBehind(row: OperationRow, teller: UserTeller, users: readonly UserRow[]): OperationUsers | undefined {
  const seen = users.filter(isKnown).map((user) => seenUsers(user, teller))
  const refused = users.filter((user) => !isKnown(user)).map(countsOf)
  const told = [...seen, ...refused].reduce<Counts>(addCounts, NO_COUNTS)
  const rest: Counts = {
    requests: row.requests - told.requests,
    notFound: (row.not_found ?? 0) - told.notFound,
    denied: row.denied - told.denied,
  }
  if (Math.min(rest.requests, rest.notFound, rest.denied) < 0) return undefined
  // Not as texts: of the hour's first second, 10:00:00.5Z stands before 10:00:00Z.
  const isTold = Date.parse(row.first_seen) >= Date.parse(teller.since)
  const untold = isTold ? refused : [...refused, rest]
  return { without: isTold ? rest : NO_COUNTS, untold: untold.reduce(addCounts, NO_COUNTS), seen }
}

/** False for a token that was not accepted: whose it was is not told. */
function isKnown({ issuer, groups, marks }: UserRow): boolean {
  return issuer !== '' || groups !== '[]' || BigInt(`0x${marks}`) !== 0n
}

function countsOf({ requests, not_found, denied }: UserRow): Counts {
  return { requests, notFound: not_found, denied }
}

function seenUsers(user: UserRow, teller: UserTeller): SeenUsers {
  return {
    issuer: user.issuer,
    acr: teller.tells_acr ? user.acr : null,
    ageS: teller.tells_age ? user.age_s || OLDER_S : null,
    groups: teller.tells_groups ? (JSON.parse(user.groups) as string[]) : null,
    moreGroups: user.more_groups,
    ...countsOf(user),
    marks: user.marks,
  }
}
