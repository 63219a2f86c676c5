import { hash32, hex, random } from './random.ts'
import { HOUR_MS } from './rhythm.ts'
import { type PortSpec, readWorkloads, type WorkloadSpec } from './tables.ts'
import { WORKLOADS } from './workloads.ts'

export const CLUSTERS = ['east', 'west'] as const
export type Cluster = (typeof CLUSTERS)[number]
export const TRUST_DOMAIN = 'shop.example'
export const PUBLIC_HOST = 'www.shop.example'

/** Where in the window the canary `orders-v2` appears, and its share of the calls to `orders` from then on. */
export const CANARY_AT = 0.6
export const CANARY_SHARE = 0.1
export const CANARY = 'orders-v2'

/** Istio's workload certificates live a day and are rotated at half of it. */
const ROTATION_MS = 12 * HOUR_MS

/** A workload in one cluster. `id` is dense from 0 and smaller than 256. */
export interface Site {
  id: number
  spec: WorkloadSpec
  cluster: number
  /** SPIFFE ID, empty for a host outside of the mesh and for a workload without a sidecar. */
  spiffe: string
  agent: string
  pods: Pod[]
  /** `service.namespace` of the Service that it answers for. */
  service: string
}

export interface Pod {
  id: number
  site: Site
  address: string
  certificate: Certificate
}

export interface Certificate {
  epoch: number
  sha256: string
  /** ISO 8601, as `%DOWNSTREAM_PEER_CERT_V_END%` writes it. */
  end: string
}

export interface World {
  sites: Site[]
  /** Those that answer for a Service (or, by its own name, one workload of it), by cluster. */
  answering(name: string, cluster: number): Site[]
  site(name: string, cluster: number): Site | undefined
  port(site: Site, protocol: 'http' | 'grpc'): PortSpec
}

const AGENTS = ['Go-http-client/1.1', 'okhttp/4.12.0', 'python-requests/2.32.3', 'node', 'Java-http-client/21.0.4']

export const workloadSpecs: WorkloadSpec[] = readWorkloads(WORKLOADS, CLUSTERS)

/** All workloads of both clusters with their pods and addresses; the same every time. */
export function createWorld(): World {
  const sites: Site[] = []
  const byName = new Map<string, Site[]>()
  const add = (name: string, site: Site) => byName.set(name, [...(byName.get(name) ?? []), site])
  for (const [index, spec] of workloadSpecs.entries())
    for (const cluster of spec.clusters.map((name) => CLUSTERS.indexOf(name as Cluster))) {
      const site = createSite(sites.length, index, spec, cluster)
      sites.push(site)
      add(spec.name, site)
      if (spec.service && spec.service !== spec.name) add(spec.service, site)
    }
  const local = new Map<string, Site[][]>()
  for (const [name, all] of byName)
    local.set(
      name,
      CLUSTERS.map((_, cluster) => {
        const here = all.filter((site) => site.cluster === cluster)
        return here.length > 0 ? here : all
      }),
    )
  const answering = (name: string, cluster: number) => local.get(name)?.[cluster] ?? []
  return {
    sites,
    answering,
    site: (name, cluster) => answering(name, cluster).find((site) => site.spec.name === name),
    port(site, protocol) {
      const port = site.spec.ports.find(({ name }) => name === protocol) ?? site.spec.ports[0]
      if (!port) throw new Error(`workload table: ${site.spec.name} is called, so it needs a service and a port`)
      return port
    },
  }
}

function createSite(id: number, index: number, spec: WorkloadSpec, cluster: number): Site {
  const meshed = spec.kind !== 'external' && spec.namespace !== 'legacy'
  const site: Site = {
    id,
    spec,
    cluster,
    spiffe: meshed ? `spiffe://${TRUST_DOMAIN}/ns/${spec.namespace}/sa/${spec.account}` : '',
    agent: meshed ? (AGENTS[hash32(spec.name) % AGENTS.length] ?? '') : 'Java/1.8.0_292',
    pods: [],
    service: spec.service ? `${spec.service}.${spec.namespace}` : '',
  }
  const network = spec.kind === 'external' ? '198.18' : `10.${cluster + 1}`
  for (let i = 0; i < spec.replicas; i++)
    site.pods.push({
      id: id * 8 + i,
      site,
      address: `${network}.${index + 1}.${10 + i * 7}`,
      certificate: { epoch: -1, sha256: '', end: '' },
    })
  return site
}

/** The certificate that `pod` shows at `timeMs`. Pods rotate at different times. */
export function certificateOf(pod: Pod, timeMs: number): Certificate {
  const offset = (hash32(pod.address) % 43_200) * 1000
  const epoch = Math.floor((timeMs + offset) / ROTATION_MS)
  if (pod.certificate.epoch === epoch) return pod.certificate
  const end = new Date((epoch + 2) * ROTATION_MS - offset).toISOString()
  pod.certificate = { epoch, sha256: hex(64, random(epoch, pod.address)), end }
  return pod.certificate
}

/** When `certificateOf(pod, timeMs)` will change (Unix milliseconds). */
export function rotationAfter(pod: Pod, timeMs: number): number {
  const offset = (hash32(pod.address) % 43_200) * 1000
  return (Math.floor((timeMs + offset) / ROTATION_MS) + 1) * ROTATION_MS - offset
}

/** The ClusterIP of a service name: the same for all workloads that answer for it. */
export function clusterAddress(service: string, cluster: number): string {
  const hash = hash32(service)
  return `172.${20 + cluster}.${(hash >>> 8) & 255}.${1 + (hash & 127)}`
}

/** Address of the node that `pod` runs on: where the kubelet's probes come from. */
export function nodeAddress(pod: Pod): string {
  return `10.${pod.site.cluster + 1}.0.${11 + (pod.id % 3)}`
}
