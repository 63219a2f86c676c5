import type { PodAddress, Service, ServicePort, Workload } from '../../../model/inventory.ts'
import type { MeshTrustDomains } from '../../../model/trust-domain.ts'
import { readAddresses } from './addresses.ts'
import { type Fields, fields, isFields, list, port, text } from './fields.ts'
import { readMeshes } from './mesh.ts'

/** What a set of objects declares; `unreadable` counts objects of a kind that is read here but whose shape is not theirs. */
export interface Declared {
  workloads: Workload[]
  services: Service[]
  addresses: PodAddress[]
  /** EndpointSlices whose addresses of Pods were read. */
  slices: number
  meshes: MeshTrustDomains[]
  unreadable: number
}

/** Where each kind of workload keeps its Pod template. */
const POD_TEMPLATE: Record<string, (spec: Fields) => Fields> = {
  Deployment: (spec) => fields(spec['template']),
  StatefulSet: (spec) => fields(spec['template']),
  DaemonSet: (spec) => fields(spec['template']),
  ReplicaSet: (spec) => fields(spec['template']),
  ReplicationController: (spec) => fields(spec['template']),
  Job: (spec) => fields(spec['template']),
  CronJob: (spec) => fields(fields(fields(spec['jobTemplate'])['spec'])['template']),
  Rollout: (spec) => fields(spec['template']),
}

/** Reads workloads and services from parsed objects; `List`s are opened, other kinds are passed over. */
export function readObjects(documents: unknown[], cluster: string): Declared {
  const objects = documents
    .flatMap((document) =>
      isFields(document) && text(document['kind']).endsWith('List') ? list(document['items']) : [document],
    )
    .filter(isFields)
  const pods = objects.flatMap((object) => podsOf(object, cluster))
  const workloads = pods.map((pod) => pod.workload)
  const services = objects
    .filter((object) => object['kind'] === 'Service')
    .map((object) => readService(object, cluster, pods))
  const named = [...workloads, ...services]
  const { addresses, slices, slicesUnread } = readAddresses(objects, cluster)
  const { meshes, unreadable } = readMeshes(objects, cluster)
  return {
    workloads: workloads.filter((workload) => workload.name !== ''),
    services: services.filter((service) => service.name !== ''),
    addresses,
    slices,
    meshes,
    unreadable: named.filter((object) => object.name === '').length + slicesUnread + unreadable,
  }
}

interface Pod {
  workload: Workload
  /** Container ports by name: what a Service's named `targetPort` means. */
  ports: Map<string, number>
}

function podsOf(object: Fields, cluster: string): Pod[] {
  const kind = text(object['kind'])
  const metadata = fields(object['metadata'])
  const template = kind === 'Pod' ? object : POD_TEMPLATE[kind]?.(fields(object['spec']))
  // What a controller made is declared by the controller.
  if (!template || list(metadata['ownerReferences']).length > 0) return []
  const spec = fields(template['spec'])
  const containers = [...list(spec['containers']), ...list(spec['initContainers'])].map(fields)
  const ports = containers
    .flatMap((container) => list(container['ports']).map(fields))
    .map((entry) => [text(entry['name']), port(entry['containerPort'])] as const)
  const workload = {
    cluster,
    namespace: text(metadata['namespace']) || 'default',
    name: text(metadata['name']),
    kind,
    serviceAccount: text(spec['serviceAccountName']) || text(spec['serviceAccount']) || 'default',
    labels: labels(fields(template['metadata'])['labels']),
    ...statedOf(metadata),
  }
  return [{ workload, ports: new Map(ports) }]
}

function readService(object: Fields, cluster: string, pods: Pod[]): Service {
  const metadata = fields(object['metadata'])
  const spec = fields(object['spec'])
  const namespace = text(metadata['namespace']) || 'default'
  const selector = labels(spec['selector'])
  const selected = pods.filter(
    (pod) =>
      pod.workload.namespace === namespace &&
      Object.keys(selector).length > 0 &&
      Object.entries(selector).every(([key, value]) => pod.workload.labels[key] === value),
  )
  return {
    cluster,
    namespace,
    name: text(metadata['name']),
    selector,
    ports: list(spec['ports']).map((entry) => readPort(fields(entry), selected)),
  }
}

/** `targetPort` is a number, a container port's name, or absent: then it is the service port (Kubernetes API, ServicePort). */
function readPort(entry: Fields, selected: Pod[]): ServicePort {
  const target = entry['targetPort']
  const named =
    typeof target === 'string'
      ? (selected.map((pod) => pod.ports.get(target)).find((found) => found) ?? port(Number(target)))
      : undefined
  return {
    name: text(entry['name']),
    servicePort: port(entry['port']),
    workloadPort: named ?? (target === undefined || target === null ? port(entry['port']) : port(target)),
    protocol: text(entry['protocol']) || 'TCP',
  }
}

function labels(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(fields(value)).map(([key, label]) => [key, text(label)]))
}

/** What labels and annotations state of a workload; a label wins over an annotation of the same name. */
function statedOf(metadata: Fields): { owner: string; sensitivity: string; category: string } {
  const all = { ...labels(metadata['annotations']), ...labels(metadata['labels']) }
  return {
    owner: all['owner'] ?? all['team'] ?? all['app.kubernetes.io/managed-by'] ?? '',
    sensitivity: all['sensitivity'] ?? all['data-classification'] ?? '',
    category: all['category'] ?? all['ownership'] ?? '',
  }
}
