/** A workload's SPIFFE identity in Istio's form, `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export interface WorkloadIdentity {
  trustDomain: string
  namespace: string
  serviceAccount: string
}

/**
 * Reads a principal as Istio writes it, without `spiffe://` (Istio security/v1, Source.principals; SPIFFE-ID section 2).
 * Other platforms' forms give undefined: they are identities, but not of this shape.
 */
export function parsePrincipal(principal: string): WorkloadIdentity | undefined {
  const match = /^([a-z0-9._-]{1,255})\/ns\/([A-Za-z0-9._-]+)\/sa\/([A-Za-z0-9._-]+)$/.exec(principal)
  return match ? { trustDomain: match[1] ?? '', namespace: match[2] ?? '', serviceAccount: match[3] ?? '' } : undefined
}

/** Node id of a workload. Without the cluster: a namespace's name means the same in every cluster of a mesh (namespace sameness). */
export const workloadId = (namespace: string, workload: string) =>
  namespace === '' ? workload : `${namespace}/${workload}`

/** Node id of an identity that no inventory gives a workload for. */
export const principalId = (principal: string) => `spiffe://${principal}`
