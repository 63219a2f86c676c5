import type { PodAddress, Service, ServicePort, Workload } from '../../../model/inventory.ts'

/** What a set of objects declares; `unreadable` counts objects of a kind that is read here but whose shape is not theirs. */
export interface Declared {
  workloads: Workload[]
  services: Service[]
  addresses: PodAddress[]
  unreadable: number
}

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const fields = (value: unknown): Fields => (isFields(value) ? value : {})
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
const port = (value: unknown): number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65536 ? value : 0

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
  return {
    workloads: workloads.filter((workload) => workload.name !== ''),
    services: services.filter((service) => service.name !== ''),
    addresses: objects.filter((object) => object['kind'] === 'Pod').flatMap((object) => addressesOf(object, cluster)),
    unreadable: named.filter((object) => object.name === '').length,
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
    owner: ownerOf(metadata),
  }
  return [{ workload, ports: new Map(ports) }]
}

/**
 * The addresses of a Pod, and its node's: these are shared, and so are those of a Pod in the node's network. A Pod that has ended has
 * none any more; one without a start was not placed yet.
 */
function addressesOf(object: Fields, cluster: string): PodAddress[] {
  const metadata = fields(object['metadata'])
  const status = fields(object['status'])
  const since = text(status['startTime']) || text(metadata['creationTimestamp'])
  const ended = ['Succeeded', 'Failed'].includes(text(status['phase']))
  const pod = text(metadata['name'])
  if (ended || pod === '' || Number.isNaN(Date.parse(since))) return []
  const of = { cluster, namespace: text(metadata['namespace']) || 'default', pod, since: new Date(since).toISOString() }
  const all = (list: unknown, one: unknown) => [...addressList(list), text(one)].filter((address) => address !== '')
  const hosts = new Set(all(status['hostIPs'], status['hostIP']))
  const own = new Set(all(status['podIPs'], status['podIP']))
  return [
    ...[...own].map((address) => ({ ...of, workload: workloadOf(object), address, shared: hosts.has(address) })),
    ...[...hosts].filter((host) => !own.has(host)).map((address) => ({ ...of, workload: '', address, shared: true })),
  ]
}

const addressList = (value: unknown) => list(value).map((entry) => text(fields(entry)['ip']))

/** The controller that made a Pod, as `declared_workload` names it: of a ReplicaSet its Deployment, of a Job its CronJob are not told. */
function workloadOf(pod: Fields): string {
  const metadata = fields(pod['metadata'])
  const owner = list(metadata['ownerReferences'])
    .map(fields)
    .find((reference) => reference['controller'] !== false)
  if (!owner) return text(metadata['name'])
  const hash = labels(metadata['labels'])['pod-template-hash']
  const name = text(owner['name'])
  const isHashed = text(owner['kind']) === 'ReplicaSet' && hash !== undefined && name.endsWith(`-${hash}`)
  return isHashed ? name.slice(0, -hash.length - 1) : name
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

function ownerOf(metadata: Fields): string {
  const all = { ...labels(metadata['annotations']), ...labels(metadata['labels']) }
  return all['owner'] ?? all['team'] ?? all['app.kubernetes.io/managed-by'] ?? ''
}
