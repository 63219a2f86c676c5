import type { Inventory, Workload } from '../../services/model/inventory.ts'
import { selects } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { Harm, PreflightFinding } from '../../services/model/preflight.ts'
import { type PolicyDocument, type PolicyText, readPolicySet } from '../replay/documents.ts'
import { isRecord } from '../replay/fields.ts'
import { isIstio, readIstio } from '../replay/istio/documents.ts'
import type { AuthorizationPolicy } from '../replay/istio/read-authorization.ts'
import type { PeerAuthentication } from '../replay/istio/read-peer.ts'

/** What traps look at: the policies, what they are about, and what was seen. */
export interface Ground {
  authorization: AuthorizationPolicy[]
  peers: PeerAuthentication[]
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
  const { authorization, peers } = readIstio(set.take(isIstio))
  return { authorization, peers, documents: set.documents, inventory, operations }
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

const AMBIENT = 'istio.io/dataplane-mode'
export const WAYPOINT = 'istio.io/use-waypoint'

/** Whether a workload is in ambient mode: by its own label, or by its namespace's where the set declares that. */
export function isAmbient({ documents }: Ground, { namespace, labels }: Workload): boolean {
  const own = labels[AMBIENT]
  return (own ?? labelsOfNamespace(documents, namespace)[AMBIENT]) === 'ambient'
}

export function labelsOfNamespace(documents: readonly PolicyDocument[], name: string): Record<string, unknown> {
  const namespace = documents.find(({ kind, metadata }) => kind === 'Namespace' && metadata['name'] === name)
  return labelsOf(namespace)
}

export function labelsOf(document: PolicyDocument | undefined): Record<string, unknown> {
  const labels = document?.metadata['labels']
  return isRecord(labels) ? labels : {}
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

/** Whether a rule asks something that only HTTP tells. */
export function asksHttp({ rules }: AuthorizationPolicy): boolean {
  return rules.some(
    ({ from, to, when }) =>
      to.flat().some(({ field }) => field !== 'ports') ||
      from.flat().some(({ field }) => field === 'requestPrincipals') ||
      when.some(({ key }) => key.startsWith('request.')),
  )
}
