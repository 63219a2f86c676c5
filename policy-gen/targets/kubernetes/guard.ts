import type { Callee } from '../../../services/model/permission.ts'
import { kubernetesName } from '../../grants/names.ts'
import type { Opening } from './peers.ts'

const NAME_LABEL = 'kubernetes.io/metadata.name'
/** In the middle of 0 to 1000: there is room for rules that go before and behind. */
const PRIORITY = 500

/**
 * What holds in a namespace whatever its NetworkPolicies allow later (NIST SP 800-204B, APE-SR-3): pods of other namespaces
 * stay out, but those of namespaces that were seen to call into this one; what those reach, NetworkPolicies say.
 *
 * @param openings all of the namespace
 */
export function namespaceGuard(
  { namespace, cluster }: Callee,
  openings: readonly Opening[],
  clustered: boolean,
): unknown {
  const seen = [...new Set([namespace, ...openings.map(({ peer }) => peer.namespace)])].sort()
  const annotations = clustered ? { annotations: { 'cinch.cluster': cluster } } : {}
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: `cinch-guard-${kubernetesName(namespace)}`, ...annotations },
    spec: {
      tier: 'Admin',
      priority: PRIORITY,
      subject: { namespaces: { matchLabels: { [NAME_LABEL]: namespace } } },
      ingress: [
        {
          name: 'namespaces that were seen',
          action: 'Pass',
          from: [{ namespaces: { matchExpressions: [{ key: NAME_LABEL, operator: 'In', values: seen }] } }],
        },
        { name: 'all others', action: 'Deny', from: [{ namespaces: {} }] },
      ],
    },
  }
}
