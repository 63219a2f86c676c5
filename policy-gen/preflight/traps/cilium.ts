import { selects } from '../../../services/model/inventory.ts'
import { isRecord } from '../../replay/fields.ts'
import { callsTo, placeOf, requestsOf, specOf, type Trap } from '../ground.ts'

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
        const labels = isRecord(endpointSelector) ? endpointSelector['matchLabels'] : undefined
        const { namespace, object } = placeOf(document)
        if (!JSON.stringify(ingress ?? null).includes('"http"')) return []
        const wanted = Object.fromEntries(
          Object.entries(isRecord(labels) ? labels : {}).map(([key, value]) => [
            key.replace(/^(k8s|any):/, ''),
            String(value),
          ]),
        )
        const hidden = ground.inventory.workloads
          .filter((workload) => workload.namespace === namespace && selects(wanted, workload.labels))
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
