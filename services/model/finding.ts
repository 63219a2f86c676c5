import type { CheckEvidence } from './check.ts'

/** How soon somebody should look, the least first. */
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

/**
 * `open`: to be looked at. `acknowledged`: somebody does. `accepted`: its owner bears it until a day. `false`: it is none, and the check is
 * tuned by it. `resolved`: it was looked for where it would be seen, and is gone.
 */
export const FINDING_STATES = ['open', 'acknowledged', 'accepted', 'false', 'resolved'] as const
export type FindingState = (typeof FINDING_STATES)[number]

/** What a producer saw: one fault at one subject. The same check and subject are the same finding, whenever they are seen. */
export interface Observation {
  /** What looked: the id of a check, or of another producer. */
  check: string
  subject: string
  /** What the subject is part of: findings of one check and place are shown together. */
  place: string
  severity: Severity
  /** What is wrong, in one sentence. */
  title: string
  /** ISO 8601, UTC. */
  first_seen: string
  last_seen: string
  /** Of what was counted at the subject, how much shows the fault, 0 to 1. */
  share: number
  evidence: CheckEvidence
  /** What is not seen by whatever looked. */
  blind: string
  fix: string
}

/** What one look of a producer came to. */
export interface Report {
  check: string
  window: { since: string; until: string }
  observations: readonly Observation[]
  /** Whether it would have seen the fault, were it still there: enough was told of its place. Where it would not, the finding stays. */
  couldSee(finding: Pick<Observation, 'subject' | 'place'>): boolean
}

/** A word on a finding: who put it into its state, when and why. */
export interface FindingWord {
  state: FindingState
  /** '' where nobody did: what was seen, or was not any more, says so. */
  who: string
  why: string
  /** ISO 8601, UTC. */
  at: string
  /** Who bears an accepted one; '' otherwise. */
  owner: string
  /** When an acceptance ends, ISO 8601; '' otherwise. */
  until: string
  /** Of a false one: so large a share is no fault. */
  tolerated: number
}

export interface Finding extends Observation, FindingWord {
  /** SHA-256 of check and subject, shortened to 128 bits: subjects are what telemetry says, and nobody may make one that meets another. */
  id: string
}

/** What a person may say of a finding. */
export type FindingAct =
  | { act: 'acknowledge' }
  | { act: 'accept'; owner: string; until: string }
  | { act: 'false' }
  | { act: 'reopen' }

export interface FindingGroup {
  check: string
  place: string
  findings: number
  severity: Severity
  last_seen: string
}

export interface FindingListing {
  /** What was last looked at; undefined before the first look. */
  window?: { since: string; until: string }
  findings: Finding[]
  groups: FindingGroup[]
  /** Findings beyond those listed. */
  left_out: number
}
