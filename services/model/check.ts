import type { Attestation } from './attestation.ts'

/**
 * Whether a requirement holds, as telemetry shows it. `not_enough_data`: it could be shown, and too little came; `not_observable`: no
 * telemetry shows it; `attested`: somebody answers for what no telemetry shows. None of these is green.
 */
export type Verdict = 'met' | 'attested' | 'not_met' | 'not_enough_data' | 'not_observable'

export interface Counts {
  /** That show what is asked. */
  met: number
  /** That show the contrary. */
  unmet: number
  /** Of which nobody tells either way. */
  untold: number
}

/** What is counted of one thing: a hop, a workload, an identity. */
export interface SubjectTally extends Counts {
  /** What it is called, the same in every window. */
  subject: string
  /** What it is part of, and by whose word it would be seen again: mostly the callee. */
  place: string
  /** What else a person wants to know of it in this window. */
  note: string
  /** What was told at its place and is not asked about: with it, silence is no word. */
  aside: number
  /** When it showed the contrary, ISO 8601; '' where only the window tells. */
  first_seen: string
  last_seen: string
}

/** What is counted by one check, and of what. */
export interface Tally extends Counts {
  subjects: SubjectTally[]
}

/** Where a verdict comes from, so that anybody can count again. */
export interface CheckEvidence {
  /** What was read of the store. */
  queries: string[]
  /** ISO 8601, UTC, half-open. */
  parameters: { since: string; until: string }
  counts: Counts
  /** Where it does not hold, the most frequent first; where it is not told when there are none. */
  samples: string[]
  /** Samples that are not listed. */
  left_out: number
}

/** A subject at which people said that the check was wrong: so much of it is no fault. */
export interface Tuning {
  check: string
  subject: string
  /** So large a share of what is counted there may show the contrary, 0 to 1; with more it is counted again. */
  tolerated: number
  who: string
  why: string
  /** ISO 8601, UTC. */
  at: string
  /** Id of the finding that was marked false; reopened, the tuning is gone. */
  finding: string
}

/** A tuning, and how many were left out by it. */
export type AppliedTuning = Omit<Tuning, 'check'> & { left_out: number }

export interface CheckResult {
  id: string
  title: string
  verdict: Exclude<Verdict, 'not_observable' | 'attested'>
  why: string
  evidence: CheckEvidence
  /** By people: what the counts leave out. */
  tuned: AppliedTuning[]
  /** What the check does not see. */
  blind: string
  fix: string
}

/** What a document asks for and what shows it: data, of which no check knows. */
export interface Requirement {
  id: string
  document: string
  asks: string
  /** Ids of the checks that must all be met. */
  checks: string[]
  /** The part of it that no check shows yet: with it nothing is met. */
  lacks?: string
  /** Why no telemetry ever shows it. */
  not_observable?: string
  /** Controls of SP 800-53 revision 5 that it serves. */
  sp800_53: string[]
  /** Pillar and function of CISA's Zero Trust Maturity Model 2.0. */
  cisa: string
}

export interface RequirementResult extends Requirement {
  verdict: Verdict
  why: string
  /** Who answers for what is not shown; also where it counts no more. */
  attestation?: Attestation & { expired: boolean }
}

/** A verdict as the last look of a day had it. */
export interface VerdictDay {
  requirement: string
  /** Such as `2026-11-22`, UTC. */
  day: string
  verdict: Verdict
}

export interface Assessment {
  window: { since: string; until: string }
  requirements: RequirementResult[]
  checks: CheckResult[]
}
