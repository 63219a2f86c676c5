/** What somebody answers for, where no telemetry shows it. Times are ISO 8601, UTC. */
export interface Attestation {
  /** Id of the requirement. */
  requirement: string
  /** Who answers for it. */
  owner: string
  /** Who said so, and why. */
  who: string
  why: string
  at: string
  /** From then on it counts no more. */
  until: string
}
