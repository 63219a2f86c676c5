import type { ReplayCall } from './replay.ts'

/** One thing that a deployed policy allows. An empty field is any; a port of 0 too. */
export interface DeployedRule {
  file: string
  /** As the target's own logs name it: `ns[a]-policy[b]-rule[0]`. */
  rule: string
  /** Which workloads the policy is for, for people. */
  scope: string
  /** Who may: a principal as it is written, or what the policy asks instead. */
  source: string
  port: number
  method: string
  path: string
  /** Other things that the rule asks, such as a claim; they narrow it, and a diff leaves them alone. */
  conditions: string[]
}

/** What is deployed and was not taken apart into rules, so that nothing is said of its use. */
export interface UnreadRule {
  file: string
  rule: string
  reason: string
}

/** A deployed rule and what it was used for in the window. */
export interface RuleUse extends DeployedRule {
  requests: number
  /** Null when it was never used. */
  last_used: string | null
  /** What it was used for, the most frequent first. */
  used_for: { source: string; destination: string; method: string; path: string; requests: number }[]
  /** Why it should not be touched yet; nothing when it may be. */
  guards: string[]
}

/** What `cinch policies diff` answers: deployed policies held against what was observed. */
export interface PolicyDiff {
  window: { since: string; until: string }
  /** Whole or partial UTC days that the window touches. */
  days: number
  /** Requests that were served. */
  requests: number
  /** Served, and not allowed by what is deployed: needed when that is enforced. */
  grant: ReplayCall[]
  /** Served requests of which it cannot be told whether what is deployed allows them. */
  uncertain: number
  /** Allowed, and never used. */
  revoke: RuleUse[]
  /** Used, and wider than its use. */
  restrict: RuleUse[]
  /** Another rule for the same workloads allows as much or more; it can go without any effect. */
  shadowed: (DeployedRule & { by: string })[]
  /** Rules that are used as they are. */
  kept: number
  unread: UnreadRule[]
}
