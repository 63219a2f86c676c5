/** Whom a risk is of. A session is one login of a user: issuer, subject and the time of authentication. */
export const RISK_KINDS = ['user', 'workload', 'device', 'session'] as const
export type RiskKind = (typeof RISK_KINDS)[number]

/** LOW, MEDIUM and HIGH are CAEP's. UNKNOWN is none of them: too little is known, and `why` of the answer says of what. */
export type RiskLevel = 'UNKNOWN' | 'LOW' | 'MEDIUM' | 'HIGH'

/** One piece of evidence: how much more typical of a stranger than of this entity something is that it did. */
export interface RiskTerm {
  /** What was looked at: `callee`, `operation`, `network`, `hour`, …, or `rule` for a detection that needs no baseline. */
  dimension: string
  value: string
  /** How often it was seen in what is judged. */
  times: number
  /** How often, counted with the weight of its age, the entity did so before. */
  seen_by_entity: number
  /** The share of the entity's peers that did so, 0 to 1; null where it has no peers. */
  seen_by_peers: number | null
  /** Natural logarithm of the odds; negative where it is typical of the entity. The terms of an answer add up to its score. */
  nats: number
}

/**
 * `whole`: is this still the same person or program, all that it did taken together; `added`: what it did beside what it usually does,
 * so that nobody hides something new behind much that is usual.
 */
export type RiskReading = 'whole' | 'added'

export interface RiskAnswer {
  kind: RiskKind
  id: string
  level: RiskLevel
  /** Why the level is UNKNOWN; empty otherwise. */
  why: string
  /** Nats: the sum of `terms`; 0 where nothing is known. */
  score: number
  reading: RiskReading
  /** Of how many days of entities like this one fewer than one in so many reaches the score; null where that is not known yet. */
  exceedance: number | null
  /** 0 to 1: how much of what is to be known of the entity was seen. */
  maturity: number
  /** What the score is made of, the heaviest first. */
  terms: RiskTerm[]
  /** Seconds since the last thing that the score knows of; null where nothing was seen. */
  age_s: number | null
}

/** False-alarm budgets: of so many days of entities one reaches the level by chance. */
export const MEDIUM_BUDGET = 1e-3
export const HIGH_BUDGET = 1e-4
