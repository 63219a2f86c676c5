/**
 * - `breaks`: enforced as it is, it denies what is served today
 * - `opens`: it allows more than it reads as
 * - `ignored`: what enforces policies will not see it
 */
export type Harm = 'breaks' | 'opens' | 'ignored'

/** Something that goes wrong on enforcement and that no traffic shows beforehand. */
export interface PreflightFinding {
  trap: string
  harm: Harm
  file: string
  /** The object that it is about: `AuthorizationPolicy shop/orders`. */
  object: string
  what: string
  /** What to do about it. */
  fix: string
  /** Observed requests that it concerns; 0 when it is not about requests. */
  requests: number
}

/** What `cinch policies preflight` answers. */
export interface Preflight {
  window: { since: string; until: string }
  /** Every trap that was looked for, so that silence can be told from not looking. */
  looked_for: { trap: string; title: string }[]
  findings: PreflightFinding[]
}
