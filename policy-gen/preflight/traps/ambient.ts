import { isRecord } from '../../replay/fields.ts'
import { waypointOf } from '../../replay/istio/data-plane.ts'
import { asksHttp } from '../../replay/istio/ztunnel.ts'
import { readLabelSelector } from '../../replay/kubernetes/selector.ts'
import { type Ground, isAmbient, placeOf, policyName, selected, specOf, type Trap, WAYPOINT } from '../ground.ts'

/** ztunnel's port for mutual TLS between nodes (HBONE). */
const HBONE_PORT = 15008

/** In ambient mode everything arrives on the tunnel's port; a NetworkPolicy that does not list it cuts the workload off. */
export const hbonePort: Trap = {
  id: 'hbone_port',
  title: 'a NetworkPolicy in ambient mode without port 15008',
  find: (ground) =>
    ground.documents
      .filter(({ kind, apiVersion }) => kind === 'NetworkPolicy' && apiVersion.startsWith('networking.k8s.io/'))
      .flatMap((document) => {
        const { namespace, object } = placeOf(document)
        const spec = specOf(document)
        const { podSelector, ingress } = spec
        const takes = readLabelSelector(podSelector, { file: document.file, at: `${object}: podSelector` })
        const ambient = selected(ground.inventory, { namespace, cluster: undefined }, undefined).filter(
          (workload) => takes({ labels: workload.labels, complete: true }) === 'yes' && isAmbient(ground, workload),
        )
        const rules = Array.isArray(ingress) ? ingress.filter(isRecord) : []
        if (ambient.length === 0 || rules.length === 0 || rules.some(admitsTunnel)) return []
        return [
          {
            harm: 'breaks' as const,
            file: document.file,
            object,
            what: `${ambient.map(({ name }) => name).join(', ')} are in ambient mode: what is sent to them arrives on port ${HBONE_PORT}, which no rule lets in`,
            fix: `allow port ${HBONE_PORT} from the same peers`,
          },
        ]
      }),
}

function admitsTunnel({ ports }: Record<string, unknown>): boolean {
  if (!Array.isArray(ports) || ports.length === 0) return true
  return ports.filter(isRecord).some(({ port, endPort }) => {
    if (port === undefined) return true
    return (
      port === HBONE_PORT ||
      (typeof port === 'number' && typeof endPort === 'number' && port <= HBONE_PORT && HBONE_PORT <= endPort)
    )
  })
}

/** ztunnel reads no HTTP: an ALLOW rule that asks for a method or a path is left out there, so it denies. */
export const waypointMissing: Trap = {
  id: 'waypoint_missing',
  title: 'a policy on methods or paths in ambient mode that no waypoint reads',
  find: (ground) =>
    ground.authorization
      .filter((policy) => policy.targets.length === 0 && policy.rules.some(asksHttp))
      .flatMap((policy) => {
        const names = ambientOf(ground, policy)
        if (names.length === 0) return []
        return [
          {
            harm: policy.action === 'ALLOW' ? ('breaks' as const) : ('ignored' as const),
            file: policy.file,
            object: policyName(policy),
            what: `it selects ${names.join(', ')} in ambient mode: ztunnel leaves its HTTP rules out, and waypoints ignore selectors`,
            fix: 'bind it to the Service with targetRefs, and put a waypoint in front of that',
          },
        ]
      }),
}

/** A policy that is bound to a Service holds at the waypoint; without one, or around it, nobody asks. */
export const waypointBypassed: Trap = {
  id: 'waypoint_bypassed',
  title: 'a policy of a Service that no waypoint stands in front of',
  find: ({ authorization, declared }) =>
    authorization.flatMap((policy) => {
      const { namespace, cluster = '' } = policy
      // Only where the set declares the namespace or the Service can the label's absence be told.
      const open = policy.targets
        .filter(({ group, kind }) => group === '' && kind === 'Service')
        .filter(({ name }) => waypointOf(declared, { namespace, name }, cluster) === null)
      return open.map(({ name }) => ({
        harm: 'ignored' as const,
        file: policy.file,
        object: policyName(policy),
        what: `neither the Service ${namespace}/${name} nor its namespace uses a waypoint (label ${WAYPOINT}): nothing enforces it`,
        fix: `label the Service or the namespace with ${WAYPOINT}, and deny at ztunnel whoever is not the waypoint`,
      }))
    }),
}

function ambientOf(ground: Ground, policy: Parameters<typeof policyName>[0]): string[] {
  return selected(ground.inventory, policy, policy.selector)
    .filter((workload) => isAmbient(ground, workload))
    .map(({ name }) => name)
}
