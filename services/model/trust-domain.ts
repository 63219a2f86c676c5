/** The trust domains of a cluster's mesh that mean one (Istio's `meshConfig.trustDomain` and `trustDomainAliases`). */
export interface MeshTrustDomains {
  cluster: string
  /** Its own first, then the aliases. */
  names: string[]
}

/** Names that a mesh may have: more are no list of aliases. */
export const TRUST_DOMAINS_MAX = 100

/**
 * Reads principals (`cluster.local/ns/a/sa/b`) under the one trust domain that stands for theirs. A name that means another domain in
 * another cluster is read as it is: there it is another workload's.
 */
export function underOneTrustDomain(meshes: readonly MeshTrustDomains[]): (principal: string) => string {
  const own = new Map<string, string | undefined>()
  for (const { names } of meshes)
    for (const name of names) own.set(name, own.has(name) && own.get(name) !== names[0] ? undefined : names[0])
  return (principal) => {
    const end = principal.indexOf('/')
    const domain = end < 0 ? undefined : own.get(principal.slice(0, end))
    return domain === undefined ? principal : domain + principal.slice(end)
  }
}

/** The trust domains of the mesh that a callee is in; none where that is not told, or clusters that it may be in differ. */
export function trustDomainsOf(meshes: readonly MeshTrustDomains[], cluster: string): readonly string[] {
  const [first, ...others] = meshes.filter((mesh) => cluster === '' || mesh.cluster === '' || mesh.cluster === cluster)
  const isOne = others.every(({ names }) => names.join() === first?.names.join())
  return first && isOne ? first.names : []
}
