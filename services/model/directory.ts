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
