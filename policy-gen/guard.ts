import type { ObservedOperation } from '../services/model/operation.ts'
import type { Permission, ReplicaEvidence } from '../services/model/permission.ts'
import { PolicyError } from './errors.ts'

/** Operations of one caller at one callee that were refused or not there: so many distinct ones are looking for something. */
const PROBES_MIN = 10
const INCIDENTS_MAX = 1_000
/** Beyond, replicas are told apart too rarely (`model/marks.ts`). */
export const REPLICAS_MAX = 32

/** What may not teach, whoever does it and however often: whoever waits long enough would write the policy. */
export interface GuardOptions {
  /** Distinct days on which something must have been seen; requests count for nothing. Default 1. */
  minimumDays?: number
  /**
   * Distinct replicas of the caller that must have done it, or all that it is known to have had meanwhile where these are fewer: what is
   * taken over is one replica, however often and long it asks. Default 1.
   */
  minimumReplicas?: number
  /** What was first seen from then on waits for the word of the callee's owner. ISO 8601, UTC. */
  baseline?: string
  /** What was first seen within one of them teaches nothing. Half-open, ISO 8601, UTC. */
  incidents?: readonly { since: string; until: string }[]
}

export type GuardCode = 'support' | 'new' | 'incident' | 'probing'

/** Why a permission is not earned; null when it is. */
export type Guard = (permission: Permission) => { code: GuardCode; reason: string } | null

/**
 * The poisoning guard, on permissions as observations made them: one that is seen at another time or path too is judged by all.
 *
 * @throws PolicyError `bad_option`
 */
export function guardOf(operations: readonly ObservedOperation[], options: GuardOptions): Guard {
  const { minimumDays = 1, minimumReplicas = 1 } = options
  if (!Number.isInteger(minimumDays) || minimumDays < 1 || minimumDays > 400)
    throw new PolicyError('bad_option', `the least number of days is a whole number from 1 to 400, not ${minimumDays}`)
  if (!Number.isInteger(minimumReplicas) || minimumReplicas < 1 || minimumReplicas > REPLICAS_MAX)
    throw new PolicyError(
      'bad_option',
      `the least number of replicas is a whole number from 1 to ${REPLICAS_MAX}, not ${minimumReplicas}`,
    )
  const { isNew, isWithinIncident } = timesOf(options)
  const probedFrom = probes(operations)
  return ({ caller, callee, evidence }) => {
    const first = moment(evidence.first_seen)
    if (isWithinIncident(first)) return { code: 'incident', reason: 'it was first seen within a marked incident' }
    const probed = callee.members.flatMap(
      (member) => probedFrom.get(keyOf(caller.principal, callee.namespace, member)) ?? [],
    )
    if (probed.some((from) => first >= from))
      return {
        code: 'probing',
        reason: `its caller was then trying operations that are refused or not there, ${PROBES_MIN} or more`,
      }
    if (isNew(first))
      return {
        code: 'new',
        reason: `it was first seen after the baseline of ${options.baseline}; the callee's owner may declare it`,
      }
    if (evidence.days < minimumDays)
      return {
        code: 'support',
        reason: `it was seen on ${evidence.days} of ${minimumDays} days; the callee's owner may declare it`,
      }
    const alone = tooFewReplicas(evidence.replicas, minimumReplicas)
    return alone === null ? null : { code: 'support', reason: `${alone}; the callee's owner may declare it` }
  }
}

/** Why so few replicas are no support; null where they are enough, or where nobody told of any. */
export function tooFewReplicas(seen: ReplicaEvidence | undefined, minimum: number): string | null {
  if (!seen || minimum === 1) return null
  const wanted = Math.min(minimum, seen.of)
  return seen.distinct < wanted ? `it was seen from ${seen.distinct} of ${wanted} replicas` : null
}

/** Whether the time at which an operation was first seen lets it teach anything; its callee's mutual TLS, too. */
export function teachesBy(options: GuardOptions): (operation: ObservedOperation) => boolean {
  const { isNew, isWithinIncident } = timesOf(options)
  return ({ firstSeen }) => {
    const first = Date.parse(firstSeen)
    return !isNew(first) && !isWithinIncident(first)
  }
}

/** Of times in milliseconds since 1970. @throws PolicyError `bad_option` */
function timesOf({ baseline, incidents = [] }: GuardOptions) {
  if (incidents.length > INCIDENTS_MAX)
    throw new PolicyError('bad_option', `there are more than ${INCIDENTS_MAX} incidents`)
  const from = baseline === undefined ? Number.POSITIVE_INFINITY : moment(baseline)
  const marked = incidents.map(({ since, until }) => ({ since: moment(since), until: moment(until) }))
  return {
    isNew: (first: number) => first >= from,
    isWithinIncident: (first: number) => marked.some(({ since, until }) => first >= since && first < until),
  }
}

function moment(text: string): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new PolicyError('bad_option', `${JSON.stringify(text)} is no time; give ISO 8601, UTC`)
  return ms
}

const keyOf = (principal: string, namespace: string, workload: string) =>
  JSON.stringify([principal, namespace, workload])

/** Since when callers look for what there is at a callee, milliseconds since 1970: from their first of so many tries. */
function probes(operations: readonly ObservedOperation[]): Map<string, number> {
  const failed = operations.filter(({ requests, notFound = 0 }) => requests <= notFound)
  const tries = Map.groupBy(failed, ({ source, destination }) =>
    keyOf(source.principal, destination.namespace, destination.workload),
  )
  const found = [...tries].filter(([, list]) => list.length >= PROBES_MIN)
  return new Map(found.map(([key, list]) => [key, Math.min(...list.map(({ firstSeen }) => Date.parse(firstSeen)))]))
}

/**
 * Reads incidents as `SINCE/UNTIL`, separated by commas.
 *
 * @throws PolicyError `bad_option`
 */
export function readIncidents(text: string): { since: string; until: string }[] {
  return text.split(',').map((one) => {
    const [since = '', until = '', ...more] = one.trim().split('/')
    if (more.length > 0 || moment(since) >= moment(until))
      throw new PolicyError('bad_option', `${JSON.stringify(one)} is no incident; give SINCE/UNTIL`)
    return { since, until }
  })
}
