import type { BacktestDay, Coverage, UnseenMass } from '../../services/model/backtest.ts'
import type { Permission } from '../../services/model/permission.ts'

/** What the replayed days say of the next one; null when there are none. What is uncertain is not covered. */
export function coverageOf(days: readonly BacktestDay[]): Coverage | null {
  const shares = days
    .filter(({ requests }) => requests > 0)
    .map(({ requests, would_deny, uncertain }) => 1 - (would_deny + uncertain) / requests)
  if (shares.length === 0) return null
  return {
    expected: shares.reduce((sum, share) => sum + share, 0) / shares.length,
    at_least: Math.min(...shares),
    confidence: shares.length / (shares.length + 1),
  }
}

/** The share of requests that one day alone showed. */
export function unseenMass(permissions: readonly Permission[]): UnseenMass {
  const once = permissions.filter(isOfOneDay)
  const all = requestsOf(permissions)
  return { share: all === 0 ? 0 : requestsOf(once) / all, permissions: once.length }
}

/** Of operations that share a template `days` is a lower bound, so both ends are looked at. */
export function isOfOneDay({ evidence }: Permission): boolean {
  return evidence.days === 1 && evidence.first_seen.slice(0, 10) === evidence.last_seen.slice(0, 10)
}

export function requestsOf(permissions: readonly Permission[]): number {
  return permissions.reduce((sum, { evidence }) => sum + evidence.requests, 0)
}
