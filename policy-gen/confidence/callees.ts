import type { BacktestDay, CalleeConfidence, Readiness } from '../../services/model/backtest.ts'
import { EVIDENCE } from '../../services/model/evidence.ts'
import type { Permission } from '../../services/model/permission.ts'
import type { Proposal } from '../propose.ts'
import { requestsOf, unseenMass } from './coverage.ts'
import { daysBetween, daysOf, isMonthEnd } from './days.ts'

/** Every weekday. */
const DAYS_MIN = 7
/** A callee at which nothing new was seen for so long has shown what it does. */
const QUIET_DAYS_MIN = 3
/** Requests of permissions of a single day that a callee may have and be ready. */
const UNSEEN_MAX = 0.001
/** More is not worth waiting for: somebody has to look. */
const MORE_DAYS_MAX = 35

/** A verdict for each callee, from what was learned in a window and how its days replayed. */
export function confidenceByCallee(
  { permissions, skipped }: Proposal,
  days: readonly BacktestDay[],
  window: { since: string; until: string },
): CalleeConfidence[] {
  const denied = new Set(days.flatMap((day) => day.denied.map((call) => call.destination)))
  const unknown = Map.groupBy(
    skipped.filter(({ code }) => code === 'evidence' || code === 'principal'),
    ({ callee }) => callee,
  )
  const calendar = daysOf(window)
  // What is declared and was never seen says nothing of how much was.
  const seen = permissions.filter(({ evidence }) => evidence.requests > 0)
  const byCallee = Map.groupBy(seen, calleeName)
  return [...new Set([...byCallee.keys(), ...unknown.keys()])].sort().map((callee) => {
    const own = byCallee.get(callee) ?? []
    const faults = [
      ...weak(own, unknown.get(callee) ?? []),
      ...growing(own, denied.has(callee), window, calendar.length),
      ...(calendar.some(({ day }) => isMonthEnd(day))
        ? []
        : [{ verdict: 'month_end_unseen' as const, reason: 'the end of a month was not observed', days: 0 }]),
    ]
    return {
      callee,
      verdict: faults[0]?.verdict ?? 'ready',
      reasons: faults.map(({ reason }) => reason),
      more_days: Math.max(0, ...faults.map((fault) => fault.days)),
      permissions: own.length,
      requests: requestsOf(own),
      quiet_days: quietDays(own, window.until),
    }
  })
}

interface Fault {
  verdict: Readiness
  reason: string
  days: number
}

/** As replay names a callee. */
function calleeName({ callee }: Permission): string {
  return `${callee.namespace}/${callee.workload}`
}

function weak(permissions: readonly Permission[], unknown: readonly { requests: number }[]): Fault[] {
  const assumed = permissions.filter(
    ({ caller, evidence }) => caller.basis === 'assumed' || EVIDENCE[evidence.strength] < EVIDENCE.joined,
  )
  const nobody = unknown.reduce((sum, { requests }) => sum + requests, 0)
  const fault = (reason: string): Fault => ({ verdict: 'weak_evidence', reason, days: 0 })
  return [
    ...(assumed.length > 0
      ? [fault(`${assumed.length} permissions rest on callers that only claim who they are`)]
      : []),
    ...(nobody > 0 ? [fault(`${nobody} requests came from callers that are not known`)] : []),
  ]
}

function growing(
  permissions: readonly Permission[],
  wasDenied: boolean,
  window: { until: string },
  observed: number,
): Fault[] {
  const fault = (reason: string, days: number): Fault => ({ verdict: 'wait', reason, days })
  const quiet = quietDays(permissions, window.until)
  const { share } = unseenMass(permissions)
  // What only one day showed shrinks as the days grow.
  const wanted = Math.min(MORE_DAYS_MAX, Math.ceil(observed * (share / UNSEEN_MAX - 1)))
  const percent = (share * 100).toFixed(2)
  return [
    ...(observed < DAYS_MIN ? [fault(`${observed} of ${DAYS_MIN} days were observed`, DAYS_MIN - observed)] : []),
    ...(permissions.length > 0 && quiet < QUIET_DAYS_MIN
      ? [fault(`something new was seen ${quiet} days ago`, QUIET_DAYS_MIN - quiet)]
      : []),
    ...(share > UNSEEN_MAX
      ? [fault(`${percent} % of its requests are of a kind that one day alone showed`, wanted)]
      : []),
    ...(wasDenied
      ? [fault('a replayed day brought requests that the days before it had not shown', QUIET_DAYS_MIN)]
      : []),
  ]
}

function quietDays(permissions: readonly Permission[], until: string): number {
  const newest = permissions
    .map(({ evidence }) => evidence.first_seen)
    .sort()
    .at(-1)
  return newest === undefined ? 0 : daysBetween(newest, until)
}
