import type { Party } from '../../services/model/operation.ts'
import type { PolicyDocument } from './documents.ts'
import { isRecord } from './fields.ts'

export type Labels = Readonly<Record<string, unknown>>

/** What objects beside the policies say of a cluster: its namespaces, Services and waypoints. */
export interface Declared {
  namespace: (name: string, cluster: string) => Labels | undefined
  service: (namespace: string, name: string, cluster: string) => Labels | undefined
  /** A Gateway of the class `istio-waypoint`. */
  waypoint: (namespace: string, name: string, cluster: string) => Labels | undefined
  /** The namespaces that are declared, with their labels. */
  namespaces: Labels[]
}

export function isDeclaration(document: PolicyDocument): boolean {
  const { apiVersion, kind } = document
  return (apiVersion === 'v1' && (kind === 'Namespace' || kind === 'Service')) || isWaypoint(document)
}

function isWaypoint({ apiVersion, kind, value }: PolicyDocument): boolean {
  const { spec } = value
  return (
    apiVersion.startsWith('gateway.networking.k8s.io/') &&
    kind === 'Gateway' &&
    isRecord(spec) &&
    spec['gatewayClassName'] === 'istio-waypoint'
  )
}

export function declaredIn(documents: readonly PolicyDocument[]): Declared {
  const found = new Map<string, Labels>()
  const namespaces: Labels[] = []
  for (const document of documents.filter(isDeclaration)) {
    const { kind, metadata } = document
    const { name, namespace = 'default', annotations } = metadata
    const cluster = isRecord(annotations) ? annotations['cinch.cluster'] : undefined
    const labels = labelsOf(document)
    if (kind === 'Namespace') namespaces.push(labels)
    found.set(keyOf(kind, kind === 'Namespace' ? '' : namespace, name, cluster ?? ''), labels)
  }
  // What names no cluster is applied in each.
  const find = (kind: string, namespace: string, name: string, cluster: string) =>
    found.get(keyOf(kind, namespace, name, cluster)) ?? found.get(keyOf(kind, namespace, name, ''))
  return {
    namespace: (name, cluster) => find('Namespace', '', name, cluster),
    service: (namespace, name, cluster) => find('Service', namespace, name, cluster),
    waypoint: (namespace, name, cluster) => find('Gateway', namespace, name, cluster),
    namespaces,
  }
}

export function labelsOf(document: PolicyDocument | undefined): Labels {
  const labels = document?.metadata['labels']
  return isRecord(labels) ? labels : {}
}

function keyOf(...parts: unknown[]): string {
  return JSON.stringify(parts)
}

/** A Service as a caller asked for it: `orders`, `orders.shop` or `orders.shop.svc.cluster.local`. */
export function serviceAsked({
  service,
  namespace,
}: Pick<Party, 'namespace'> & { service: string }): { namespace: string; name: string } | null {
  if (service === '') return null
  const [name = '', within = namespace] = service.split('.')
  return { name, namespace: within }
}
