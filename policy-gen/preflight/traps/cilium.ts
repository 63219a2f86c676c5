import { readLabelSelector } from '../../replay/kubernetes/selector.ts'
import { callsTo, placeOf, requestsOf, selected, specOf, type Trap } from '../ground.ts'

/** Cilium reads HTTP in plaintext only; what Istio has encrypted matches none of its HTTP rules. */
export const ciliumMutualTls: Trap = {
  id: 'cilium_mutual_tls',
  title: "a Cilium HTTP rule where the mesh's mutual TLS hides HTTP",
  find: (ground) =>
    ground.documents
      .filter(({ kind, apiVersion }) => kind === 'CiliumNetworkPolicy' && apiVersion.startsWith('cilium.io/'))
      .flatMap((document) => {
        const spec = specOf(document)
        const { endpointSelector, ingress } = spec
        const { namespace, object } = placeOf(document)
        if (!JSON.stringify(ingress ?? null).includes('"http"')) return []
        const takes = readLabelSelector(endpointSelector, { file: document.file, at: `${object}: endpointSelector` })
        const hidden = selected(ground.inventory, { namespace, cluster: undefined }, undefined)
          .filter(({ labels }) => takes({ labels: withPrefixes(labels), complete: true }) === 'yes')
          .flatMap((workload) => callsTo(ground, workload))
          .filter(({ mtls }) => mtls === 'yes')
        if (hidden.length === 0) return []
        return [
          {
            harm: 'breaks' as const,
            file: document.file,
            object,
            what: 'its HTTP rules cannot read requests that come over mutual TLS, and deny them',
            fix: 'keep ports there, and put methods and paths into an AuthorizationPolicy',
            requests: requestsOf(hidden),
          },
        ]
      }),
}

/** A label as Cilium's selectors may name it: by itself, of Kubernetes, or of whatever source. */
function withPrefixes(labels: Record<string, string>): Record<string, string> {
  const named = Object.entries(labels).flatMap(([key, value]) =>
    ['', 'k8s:', 'any:'].map((from) => [from + key, value]),
  )
  return Object.fromEntries(named)
}
