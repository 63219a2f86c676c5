import type { PodAddress } from '../../../model/inventory.ts'
import { type Fields, fields, list, text } from './fields.ts'

export interface DeclaredAddresses {
  addresses: PodAddress[]
  /** EndpointSlices that were read, and those with Pods on nodes that nobody tells the addresses of. */
  slices: number
  slicesUnread: number
}

/** Who has which address: of Pods, of nodes, and of the Pods that EndpointSlices (discovery.k8s.io/v1) name. */
export function readAddresses(objects: readonly Fields[], cluster: string): DeclaredAddresses {
  const ofKind = (kind: string) => objects.filter((object) => object['kind'] === kind)
  const pods = ofKind('Pod')
  const told = [
    ...pods.flatMap((pod) => addressesOf(pod, cluster)),
    ...ofKind('Node').flatMap((node) => addressesOfNode(node, cluster)),
  ]
  const names = new Map(pods.map((pod) => [podKey(fields(pod['metadata'])), workloadOf(pod)]))
  const nodes = nodesOf(objects)
  const slices = ofKind('EndpointSlice').map((slice) => endpointsOf(slice, cluster, names, nodes))
  return {
    addresses: [...told, ...slices.flatMap(({ addresses }) => addresses)],
    slices: slices.filter(({ addresses }) => addresses.length > 0).length,
    slicesUnread: slices.filter(({ addresses, pods }) => addresses.length === 0 && pods > 0).length,
  }
}

const namespaceOf = (metadata: Fields) => text(metadata['namespace']) || 'default'
const podKey = (metadata: Fields) => `${namespaceOf(metadata)}/${text(metadata['name'])}`

/**
 * The addresses of a Pod, and its node's: these are shared, and so are those of a Pod in the node's network. A Pod that has ended has
 * none any more; one without a start was not placed yet.
 */
function addressesOf(object: Fields, cluster: string): PodAddress[] {
  const metadata = fields(object['metadata'])
  const status = fields(object['status'])
  const since = timeOf(status['startTime']) ?? timeOf(metadata['creationTimestamp'])
  const ended = ['Succeeded', 'Failed'].includes(text(status['phase']))
  const pod = text(metadata['name'])
  if (ended || pod === '' || since === undefined) return []
  const of = { cluster, namespace: namespaceOf(metadata), pod, since }
  const image = imageOf(status)
  const hosts = new Set(hostsOf(status))
  const own = new Set(present([...addressList(status['podIPs'], 'ip'), text(status['podIP'])]))
  return [
    ...[...own].map((address) => ({ ...of, workload: workloadOf(object), address, shared: hosts.has(address), image })),
    ...[...hosts].filter((host) => !own.has(host)).map((address) => ({ ...of, workload: '', address, shared: true })),
  ]
}

/** Containers that are the mesh's, not the workload's: their images change with the mesh. */
const PROXIES = new Set([
  'istio-proxy',
  'istio-validation',
  'istio-init',
  'linkerd-proxy',
  'consul-dataplane',
  'kuma-sidecar',
])
const DIGESTS_MAX = 16

/** The digests of what a Pod runs, as the node pulled it: a tag can be moved, and `spec` tells what was asked for only. */
function imageOf(status: Fields): string {
  const digests = list(status['containerStatuses'])
    .map(fields)
    .filter((container) => !PROXIES.has(text(container['name'])))
    .map((container) => /sha256:[0-9a-f]{64}$/.exec(text(container['imageID']))?.[0] ?? '')
  return digests.includes('') ? '' : [...new Set(digests)].sort().slice(0, DIGESTS_MAX).join(',')
}

function addressesOfNode(object: Fields, cluster: string): PodAddress[] {
  const metadata = fields(object['metadata'])
  const since = timeOf(metadata['creationTimestamp'])
  const node = text(metadata['name'])
  if (node === '' || since === undefined) return []
  const of = { cluster, namespace: '', workload: '', pod: node, shared: true, since }
  return nodeAddresses(object).map((address) => ({ ...of, address }))
}

/** The addresses of nodes by their names, as Nodes and their Pods tell them. */
function nodesOf(objects: readonly Fields[]): Map<string, Set<string>> {
  const nodes = new Map<string, Set<string>>()
  const add = (name: string, addresses: string[]) => {
    if (name !== '' && addresses.length > 0) nodes.set(name, new Set([...(nodes.get(name) ?? []), ...addresses]))
  }
  for (const object of objects)
    if (object['kind'] === 'Node') add(text(fields(object['metadata'])['name']), nodeAddresses(object))
    else if (object['kind'] === 'Pod') add(text(fields(object['spec'])['nodeName']), hostsOf(fields(object['status'])))
  return nodes
}

/**
 * The addresses of the Pods that a slice names (`targetRef`). It does not say since when they have them: from now on, then. Nor does it
 * say who is in the network of its node, where others speak from the same address: so the node's addresses must be told beside it.
 */
function endpointsOf(
  object: Fields,
  cluster: string,
  names: ReadonlyMap<string, string>,
  nodes: ReadonlyMap<string, ReadonlySet<string>>,
): { addresses: PodAddress[]; pods: number } {
  const metadata = fields(object['metadata'])
  const ofPods = list(object['endpoints'])
    .map(fields)
    .map((endpoint) => ({ endpoint, target: fields(endpoint['targetRef']) }))
    .filter(({ target }) => text(target['kind']) === 'Pod' && text(target['name']) !== '')
  const addresses = ofPods.flatMap(({ endpoint, target }): PodAddress[] => {
    const hosts = nodes.get(text(endpoint['nodeName']))
    const pod = text(target['name'])
    if (!hosts) return []
    const namespace = text(target['namespace']) || namespaceOf(metadata)
    const workload = names.get(`${namespace}/${pod}`) ?? withoutHashes(pod)
    return present(list(endpoint['addresses']).map(text)).map((address) => {
      const shared = hosts.has(address)
      return { cluster, namespace, workload, pod, address, shared }
    })
  })
  return { addresses, pods: ofPods.length }
}

const present = (addresses: string[]) => addresses.filter((address) => address !== '')
const addressList = (value: unknown, key: string) => list(value).map((entry) => text(fields(entry)[key]))
const hostsOf = (status: Fields) => present([...addressList(status['hostIPs'], 'ip'), text(status['hostIP'])])
const nodeAddresses = (node: Fields) => present(addressList(fields(node['status'])['addresses'], 'address'))

function timeOf(value: unknown): string | undefined {
  const time = Date.parse(text(value))
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}

/** A Pod's name without the hashes of its ReplicaSet, DaemonSet or StatefulSet, as in `common/unwrap.sql`. */
function withoutHashes(pod: string): string {
  return pod.replace(/(-[bcdfghjklmnpqrstvwxz2456789]{5,10})?-([bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]{1,4})$/, '')
}

/** The controller that made a Pod, as `declared_workload` names it: of a ReplicaSet its Deployment, of a Job its CronJob are not told. */
function workloadOf(pod: Fields): string {
  const metadata = fields(pod['metadata'])
  const owner = list(metadata['ownerReferences'])
    .map(fields)
    .find((reference) => reference['controller'] !== false)
  if (!owner) return text(metadata['name'])
  const hash = text(fields(metadata['labels'])['pod-template-hash'])
  const name = text(owner['name'])
  const isHashed = text(owner['kind']) === 'ReplicaSet' && hash !== '' && name.endsWith(`-${hash}`)
  return isHashed ? name.slice(0, -hash.length - 1) : name
}
