import type { ObservedOperation } from '../../services/model/operation.ts'
import { addCounts, type Counts, NO_COUNTS, type OperationUsers } from '../../services/model/users.ts'
import type { Asked, Layer, Verdict } from './layer.ts'

export interface Decided {
  asked: Asked
  verdict: Verdict
}

/** Each operation as a whole; where that cannot be decided, the requests of its users apart, those of one answer together. */
export function decideByUser(asked: readonly Asked[], decide: Layer): Decided[] {
  const whole = decide(asked).flatMap((verdict, at) => {
    const one = asked[at]
    return one ? [{ asked: one, verdict, parts: verdict.allowed === 'unknown' ? partsOf(one) : [one] }] : []
  })
  const open = whole.filter(({ parts }) => parts.length > 1).flatMap(({ parts }) => parts)
  const answers = decide(open)
  const answerOf = new Map(open.map((part, at) => [part, answers[at]]))
  return whole.flatMap((one) => {
    if (one.parts.length < 2) return [one]
    const told = one.parts.map((part) => ({ asked: part, verdict: answerOf.get(part) ?? one.verdict }))
    return [...Map.groupBy(told, ({ verdict }) => JSON.stringify([verdict.allowed, verdict.reason])).values()].flatMap(
      sum,
    )
  })
}

function partsOf({ operation, request }: Asked): Asked[] {
  return byUser(operation).map((part) => ({ operation: part, request: { ...request, users: part.users ?? null } }))
}

function sum([first, ...more]: Decided[]): Decided[] {
  if (!first) return []
  const { operation, request } = first.asked
  const counts = more.map(({ asked }) => countsOf(asked.operation)).reduce(addCounts, countsOf(operation))
  return [{ asked: { operation: { ...operation, ...counts }, request }, verdict: first.verdict }]
}

function countsOf({ requests, notFound = 0, denied }: ObservedOperation): Counts {
  return { requests, notFound, denied }
}

/**
 * An operation's requests by what their users' tokens were alike in, those without one and those that nobody told of: all of one part
 * get one answer. Their counts add up to the operation's. The operation itself where there is nothing to tell apart.
 */
function byUser(operation: ObservedOperation): ObservedOperation[] {
  const { users } = operation
  if (!users) return [operation]
  const { without, untold, seen } = users
  const parts: [Counts, Partial<OperationUsers>][] = [
    ...seen.map((one): [Counts, Partial<OperationUsers>] => [one, { seen: [one] }]),
    [without, { without }],
    // What was served had passed; of what was refused, a token may have been the reason.
    ...[
      { ...untold, denied: 0 },
      { ...NO_COUNTS, denied: untold.denied },
    ].map((part): [Counts, Partial<OperationUsers>] => [part, { untold: part }]),
  ]
  const asked = parts.filter(([{ requests, denied }]) => requests + denied > 0)
  if (asked.length < 2) return [operation]
  return asked.map(([{ requests, notFound, denied }, own]) => ({
    ...operation,
    requests,
    notFound,
    denied,
    users: { without: NO_COUNTS, untold: NO_COUNTS, seen: [], ...own },
  }))
}
