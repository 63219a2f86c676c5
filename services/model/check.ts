/**
 * Whether a requirement holds, as telemetry shows it. `not_enough_data`: it could be shown, and too little came; `not_observable`: no
 * telemetry shows it. Neither is green.
 */
export type Verdict = 'met' | 'not_met' | 'not_enough_data' | 'not_observable'

/** What is counted by one check, and what shows it. */
export interface Tally {
  /** That show what is asked. */
  met: number
  /** That show the contrary. */
  unmet: number
  /** Of which nobody tells either way. */
  untold: number
  /** Where it does not hold, the most frequent first; where it is not told when there are none. */
  samples: string[]
}

/** Where a verdict comes from, so that anybody can count again. */
export interface CheckEvidence {
  /** What was read of the store. */
  queries: string[]
  /** ISO 8601, UTC, half-open. */
  parameters: { since: string; until: string }
  counts: Omit<Tally, 'samples'>
  samples: string[]
  /** Samples that are not listed. */
  left_out: number
}

export interface CheckResult {
  id: string
  title: string
  verdict: Exclude<Verdict, 'not_observable'>
  why: string
  evidence: CheckEvidence
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
}

export interface Assessment {
  window: { since: string; until: string }
  requirements: RequirementResult[]
  checks: CheckResult[]
}
