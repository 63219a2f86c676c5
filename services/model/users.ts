import { countMarks, joinMarks } from './marks.ts'

/**
 * End users behind requests, as verified tokens told of them and as the rollups keep them: by classes that conditions look at, with
 * counts. Who a user was is not kept, only how many they were.
 */

/** How long ago a user authenticated is kept up to these bounds; those of `migrations/0023_users.sql`. */
export const AGE_BOUNDS_S = [300, 900, 3_600, 14_400, 28_800, 86_400, 604_800] as const
/** Longer ago than the last bound, or a token that does not say. */
export const OLDER_S = 4_294_967_295

/** What tells one class of users from another. `null`: nobody ever told it of any user there; empty: these tokens have none. */
export interface UserClass {
  issuer: string
  acr: string | null
  /** They authenticated so many seconds ago at most: one of `AGE_BOUNDS_S`, or `OLDER_S`. */
  ageS: number | null
  /** Sorted. */
  groups: string[] | null
  /** They were in more groups than are kept. */
  moreGroups: boolean
}

export interface Counts {
  /** Served, not refused by policy. */
  requests: number
  /** Those of them that were answered that there is nothing. */
  notFound: number
  denied: number
}

export interface SeenUsers extends UserClass, Counts {
  /** Distinct users as a set of 256 bits, hexadecimal: see `distinctUsers`. */
  marks: string
}

/** The users behind an operation's requests; the three add up to the operation's own counts. */
export interface OperationUsers {
  /** Requests that carried no user, where one would have been told. */
  without: Counts
  /** Requests of which nobody told whether they carried a user. */
  untold: Counts
  seen: SeenUsers[]
}

const MARKS = 256

/**
 * How many users the sets of bits stand for, each user having set one of 256: linear counting (Whang, Vander-Zanden and Taylor 1990).
 * Right to some 5 % up to 300 users and some 10 % up to 1,000; a full set is 1,597, which says "or more".
 */
export function distinctUsers(marks: Iterable<string>): number {
  let all = ''
  for (const text of marks) all = joinMarks(all, text)
  const set = countMarks(all)
  return Math.round(-MARKS * Math.log(Math.max(MARKS - set, 0.5) / MARKS))
}

export const NO_COUNTS: Readonly<Counts> = { requests: 0, notFound: 0, denied: 0 }

export function addCounts(left: Counts, right: Counts): Counts {
  return {
    requests: left.requests + right.requests,
    notFound: left.notFound + right.notFound,
    denied: left.denied + right.denied,
  }
}

/** Users of two operations that are looked at as one. */
export function joinUsers(left: OperationUsers, right: OperationUsers): OperationUsers {
  const seen = new Map<string, SeenUsers>()
  for (const one of [...left.seen, ...right.seen]) {
    const key = JSON.stringify([one.issuer, one.acr, one.ageS, one.groups, one.moreGroups])
    const known = seen.get(key)
    seen.set(key, known ? { ...known, ...addCounts(known, one), marks: joinMarks(known.marks, one.marks) } : one)
  }
  return {
    without: addCounts(left.without, right.without),
    untold: addCounts(left.untold, right.untold),
    seen: [...seen.values()],
  }
}
