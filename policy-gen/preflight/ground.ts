import type { Inventory, Workload } from '../../services/model/inventory.ts'
import { selects } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { Harm, PreflightFinding } from '../../services/model/preflight.ts'
import { isAmong, labelledAmbient } from '../data-plane.ts'
import { type Declared, declaredIn } from '../replay/declared.ts'
import { type PolicyDocument, type PolicyText, readPolicySet } from '../replay/documents.ts'
import { isRecord } from '../replay/fields.ts'
import { isIstio, readIstio } from '../replay/istio/documents.ts'
import type { AuthorizationPolicy } from '../replay/istio/read-authorization.ts'
import type { PeerAuthentication } from '../replay/istio/read-peer.ts'
import type { RequestAuthentication } from '../replay/istio/read-tokens.ts'
import { readAssumed } from '../report.ts'

/** What traps look at: the policies, what they are about, and what was seen. */
export interface Ground {
  authorization: AuthorizationPolicy[]
  peers: PeerAuthentication[]
  tokens: RequestAuthentication[]
  /** What the set says of namespaces, Services and waypoints. */
  declared: Declared
  /** Namespaces that generated policies took to be in ambient mode. */
  ambient: readonly string[]
  /** All documents of the set, of any kind. */
  documents: readonly PolicyDocument[]
  inventory: Inventory
  operations: readonly ObservedOperation[]
}

/** One trap: a file in `traps/`, and a line in `preflight.ts`. */
export interface Trap {
  id: string
  title: string
  find: (ground: Ground) => Found[]
}

/** A finding before its trap's name is on it. */
export interface Found extends Omit<PreflightFinding, 'trap' | 'requests'> {
  harm: Harm
  requests?: number
}

/** @throws PolicyError `bad_policy` */
export function groundOf(
  files: readonly PolicyText[],
  operations: readonly ObservedOperation[],
  inventory: Inventory,
): Ground {
  const set = readPolicySet(files)
  const { documents } = set
  const { authorization, peers, tokens } = readIstio(set.take(isIstio))
  const { ambient = [] } = readAssumed(files)
  return { authorization, peers, tokens, declared: declaredIn(documents), ambient, documents, inventory, operations }
}

interface Placed {
  namespace: string
  cluster: string | undefined
}

/** The workloads of the inventory that a namespaced selector takes; an absent selector takes all. */
export function selected(
  { workloads }: Inventory,
  { namespace, cluster }: Placed,
  selector: Record<string, string> | undefined,
): Workload[] {
  return workloads.filter(
    (workload) =>
      workload.namespace === namespace &&
      (cluster === undefined || workload.cluster === '' || workload.cluster === cluster) &&
      selects(selector ?? {}, workload.labels),
  )
}

/** Who calls a workload. */
export function callsTo({ operations }: Ground, { cluster, namespace, name }: Workload): ObservedOperation[] {
  return operations.filter(
    ({ destination }) =>
      destination.namespace === namespace &&
      destination.workload === name &&
      (destination.cluster === cluster || destination.cluster === '' || cluster === ''),
  )
}

export function requestsOf(operations: readonly ObservedOperation[]): number {
  return operations.reduce((sum, { requests }) => sum + requests, 0)
}

export const WAYPOINT = 'istio.io/use-waypoint'

/** Whether a workload is in ambient mode: by its own label, its namespace's where the set declares that, or as was said. */
export function isAmbient({ declared, ambient }: Ground, { cluster, namespace, labels }: Workload): boolean {
  const around = declared.namespace(namespace, cluster) ?? {}
  return labelledAmbient(labels) ?? labelledAmbient(around) ?? isAmong(ambient, namespace)
}

/** The workloads behind a Service. */
export function servedBy({ inventory }: Ground, namespace: string, name: string): Workload[] {
  const services = inventory.services.filter((one) => one.namespace === namespace && one.name === name)
  return inventory.workloads.filter((workload) =>
    services.some(
      ({ selector, cluster }) =>
        workload.namespace === namespace &&
        workload.cluster === cluster &&
        Object.keys(selector).length > 0 &&
        selects(selector, workload.labels),
    ),
  )
}

export function specOf({ value }: PolicyDocument): Record<string, unknown> {
  const { spec } = value
  return isRecord(spec) ? spec : {}
}

/** Where a document of any kind stands. */
export function placeOf({ kind, metadata }: PolicyDocument): { namespace: string; object: string } {
  const { name, namespace } = metadata
  const within = typeof namespace === 'string' ? namespace : 'default'
  return { namespace: within, object: `${kind} ${within}/${typeof name === 'string' ? name : ''}` }
}

export function policyName({ namespace, name }: AuthorizationPolicy): string {
  return `AuthorizationPolicy ${namespace}/${name}`
}
