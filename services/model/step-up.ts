/**
 * Step-up: operations that ask a user for stronger or fresher authentication than the session has (RFC 9470).
 * Levels are those of OpenID Connect's Extended Authentication Profile: phishing-resistant, and so with hardware.
 */
export const ACRS = ['phr', 'phrh'] as const
export type Acr = (typeof ACRS)[number]

/** Who has the stronger one has the weaker one. */
export function satisfying(acr: Acr): Acr[] {
  return acr === 'phr' ? ['phr', 'phrh'] : ['phrh']
}

/** What somebody declared to be sensitive: operations of a callee; without a method or a path, all that it has. */
export interface Sensitive {
  /** `namespace/workload`, as the graph has it. */
  callee: string
  method?: string
  path?: string
  acr: Acr
  /** Seconds since the user authenticated, at most; one of `AGE_BOUNDS_S`. */
  max_age_s?: number
  why: string
}

/** How the requests of a window would have fared. Users are counted as `distinctUsers` does. */
export interface Prompts {
  /** Requests that carried a user. */
  requests: number
  users: number
  prompted: number
  prompted_users: number
  /** Requests of which telemetry does not tell the `acr` or when the user authenticated. */
  uncertain: number
}

/**
 * Sessions that carried a user to it, and those of them in which the user would have been asked at least once. A session is one
 * authentication of a user (`auth_time`); where tokens do not tell it, a user's UTC day.
 */
export interface SessionPrompts {
  sessions: number
  prompted: number
  /** Of which telemetry does not tell it. */
  uncertain: number
}

/** An operation at which users are asked. */
export interface StepUpTrigger extends Prompts {
  callee: string
  method: string
  path: string
  /** The workload's port, 0 for any. */
  port: number
  acr: Acr
  max_age_s: number | null
  why: string[]
  /** Null where the facts that tell it are gone. */
  by_session: SessionPrompts | null
  /** Sensitive operations behind it, `namespace/workload METHOD /path`; empty where it is sensitive itself. */
  behind: string[]
}

/** A sensitive operation at which nobody is asked, and why. */
export interface Unasked {
  operation: string
  reason: string
}

export interface StepUp extends Prompts {
  window: { since: string; until: string }
  /** Of prompted requests, of all that carried a user to an operation at which users can be asked. */
  share: number
  /** Of all operations at which users can be asked; a session at several of them counts once. Null where the facts are gone. */
  by_session:
    | (SessionPrompts & {
        share: number
        /** The first request that was counted, ISO 8601, UTC; facts are kept for less long than other counts. */
        since: string
        /** Sessions were counted of one in so many. */
        one_in: number
        /** Users with the most sessions in which they would have been asked, as their tokens name them. */
        users: { issuer: string; subject: string; sessions: number }[]
      })
    | null
  triggers: StepUpTrigger[]
  unasked: Unasked[]
}
