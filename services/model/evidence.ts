/**
 * How strongly a caller's identity is known, weakest first. The order is the ladder: a policy is generated only from
 * evidence at or above a threshold. The numbers are those of the store's `Enum8`, so SQL and TypeScript compare alike.
 */
export const EVIDENCE = { none: 0, claimed: 1, address: 2, joined: 3, verified: 4 } as const
export type Evidence = keyof typeof EVIDENCE

/** Who saw the request. A call that several reporters saw counts once: the strongest reporter of an edge is taken. */
export const REPORTER = { flow: 0, span: 1, source: 2, gateway: 3, destination: 4 } as const
export type Reporter = keyof typeof REPORTER

/** True when `evidence` is at least as strong as `threshold`. */
export function atLeast(evidence: Evidence, threshold: Evidence): boolean {
  return EVIDENCE[evidence] >= EVIDENCE[threshold]
}

export function isEvidence(value: string): value is Evidence {
  return Object.hasOwn(EVIDENCE, value)
}
