import type { Party } from '../../../services/model/operation.ts'
import { isAmong, labelledAmbient } from '../../data-plane.ts'
import type { Declared, Labels } from '../declared.ts'
import { isExternal } from '../external.ts'
import type { LayerContext } from '../layer.ts'

/** Where a workload's connections are enforced; `other` is a sidecar or nothing. */
export type DataPlane = 'ambient' | 'other' | 'unknown'

/**
 * The data plane of a workload: by its own label, its namespace's where the set declares it, or what was said. Where
 * nothing speaks of ambient mode at all, there is none.
 */
export function dataPlanes(declared: Declared, { index, ambient }: LayerContext): (party: Party) => DataPlane {
  const spokenOf = ambient.length > 0 || declared.namespaces.some((labels) => labelledAmbient(labels))
  return (party) => {
    if (isExternal(party)) return 'other'
    const own = labelledAmbient(index.workload(party)?.labels ?? {})
    if (own !== null) return own ? 'ambient' : 'other'
    if (party.namespace === '') return spokenOf ? 'unknown' : 'other'
    const namespace = declared.namespace(party.namespace, party.cluster)
    const labelled = namespace ? labelledAmbient(namespace) : null
    const said = labelled ?? (ambient.length > 0 ? isAmong(ambient, party.namespace) : null)
    if (said !== null) return said ? 'ambient' : 'other'
    return namespace || !spokenOf ? 'other' : 'unknown'
  }
}

export interface Waypoint {
  namespace: string
  name: string
}

const USE = 'istio.io/use-waypoint'
const USE_NAMESPACE = 'istio.io/use-waypoint-namespace'
/** Of a Gateway: `service` (the default), `workload`, `all` or `none`. */
const WAYPOINT_FOR = 'istio.io/waypoint-for'

/** The waypoint that what is sent to a Service goes through; null for none. */
export function waypointOf(
  declared: Declared,
  service: { namespace: string; name: string },
  cluster: string,
): Waypoint | 'unknown' | null {
  const own = declared.service(service.namespace, service.name, cluster)
  const around = declared.namespace(service.namespace, cluster)
  const used = own && USE in own ? own : around
  if (!used) return 'unknown'
  const waypoint = named(used, service.namespace)
  if (!waypoint) return null
  const serves = declared.waypoint(waypoint.namespace, waypoint.name, cluster)?.[WAYPOINT_FOR] ?? 'service'
  return serves === 'service' || serves === 'all' ? waypoint : null
}

function named(labels: Labels, namespace: string): Waypoint | null {
  const { [USE]: name, [USE_NAMESPACE]: within = namespace } = labels
  if (typeof name !== 'string' || name === '' || name === 'none') return null
  return { name, namespace: String(within) }
}
