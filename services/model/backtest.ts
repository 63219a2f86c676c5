import type { ReplayCall } from './replay.ts'

/** A day that was replayed against the policies that the days before it teach. */
export interface BacktestDay {
  /** UTC date. */
  day: string
  /** Days that taught. */
  learned_days: number
  requests: number
  /** Requests that were served that day and would have been denied. */
  would_deny: number
  uncertain: number
  /** What would have been denied, the most frequent first. */
  denied: ReplayCall[]
}

/** How much of the next day's requests the policies cover. */
export interface Coverage {
  /** Mean share over the replayed days, 0 to 1. */
  expected: number
  /** The share that the next day reaches or exceeds with `confidence`. */
  at_least: number
  /**
   * m / (m + 1) for m replayed days: when the days are alike, each of m + 1 is as likely the worst one.
   * Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005 (conformal prediction).
   */
  confidence: number
}

/**
 * Requests of permissions that were used on one day only, as a share of all: what a day brings that no other day showed.
 * Source: Good, The population frequencies of species, Biometrika 40, 1953 (Good-Turing, with days as samples).
 */
export interface UnseenMass {
  share: number
  permissions: number
}

/**
 * - `ready`: nothing below is said of it
 * - `wait`: what it does is still growing; `more_days` says how long
 * - `month_end_unseen`: no end of a month was observed
 * - `weak_evidence`: callers that are known by claim or by a naming rule only, or not at all
 */
export type Readiness = 'ready' | 'wait' | 'month_end_unseen' | 'weak_evidence'

export interface CalleeConfidence {
  callee: string
  verdict: Readiness
  /** Everything that stands against readiness, for people. */
  reasons: string[]
  /** Days of observation that are missing; 0 when none are. */
  more_days: number
  permissions: number
  requests: number
  /** Days since something new was last seen there. */
  quiet_days: number
}

/** What `cinch policies backtest` answers. */
export interface Backtest {
  window: { since: string; until: string }
  target: string
  days: BacktestDay[]
  /** Null when no day could be replayed. */
  coverage: Coverage | null
  unseen: UnseenMass
  callees: CalleeConfidence[]
}
