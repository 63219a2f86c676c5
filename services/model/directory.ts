/** What kind of thing a directory, an identity provider or a posture system says. */
export const DIRECTORY_CATEGORIES = ['change', 'sign_in', 'sign_out', 'access', 'posture', 'other'] as const
export type DirectoryCategory = (typeof DIRECTORY_CATEGORIES)[number]

export type ActorType = 'user' | 'service' | 'system' | 'device' | 'unknown'

/**
 * What an event carries that others may carry, too. `session` and `token` are hashes under the store's key; the others are as they were
 * told. `correlation` is whatever groups events, and a client may choose it.
 */
export interface Correlation {
  kind: 'transaction' | 'session' | 'token' | 'request' | 'correlation'
  value: string
}

/** An event of a directory, an identity provider or a posture system. What is not told is ''. */
export interface DirectoryEvent {
  /** ISO 8601, UTC, microseconds; of loading where `time_told` is 0. */
  time: string
  time_told: 0 | 1
  source: string
  cluster: string
  event_id: string
  category: DirectoryCategory
  /** The system's own name of it. */
  action: string
  outcome: 'success' | 'failure' | 'denied' | 'unknown'
  reason: string
  actor_id: string
  actor_type: ActorType
  actor_name: string
  actor_address: string
  actor_client: string
  actor_agent: string
  actor_device: string
  targets: { type: string; id: string; name: string }[]
  changes: { attribute: string; old: string; new: string }[]
  correlations: Correlation[]
}

/**
 * How surely a change belongs to an access that was seen: 3 the same transaction, session or token; 2 the same actor, client and address
 * within the session; 1 the actor signed in recently; 0 nothing of the kind.
 */
export type LinkGrade = 0 | 1 | 2 | 3

/** Who and by what: what changes and the occasions for them are compared by. What is not told is ''. */
export interface Act {
  tenant: string
  /** Microseconds since 1970. */
  time_us: number
  source: string
  actor_id: string
  actor_name: string
  address: string
  client: string
  agent: string
  device: string
  correlations: Correlation[]
}

/**
 * What can have led to a change: a sign-in that succeeded, or a request that a proxy allowed; or the end of a session. What else the same system was asked
 * for is none: whoever has somebody's key reads before he writes.
 */
export interface Occasion extends Act {
  kind: 'sign_in' | 'sign_out' | 'request'
}

/** A change that succeeded. */
export interface Change extends Act {
  /** Of the source, or what its columns say where it tells none: the same for the same change. */
  key: string
  action: string
  actor_type: ActorType
  targets: { type: string; id: string; name: string }[]
  /** When this actor first did this, and how often before; microseconds. */
  first_us: number
  before: number
}

/** A change with what led to it. */
export interface DirectoryLink {
  change: Change
  grade: LinkGrade
  /** What it was found by, such as `session`, `address` or `sign_in`; '' for nothing. */
  by: string
  /** What led to it. */
  occasion: Occasion | undefined
  /**
   * Of machines, which sign in nowhere: `known` where the actor has done this for a while, `new` where not, `learning` where its source has not been
   * watched for long enough to tell. '' for people.
   */
  job: '' | 'known' | 'new' | 'learning'
  /** True where it has a grade, or is a known job. */
  linked: boolean
}
