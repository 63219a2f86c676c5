import { PolicyError } from '../../errors.ts'
import type { PolicyDocument } from '../documents.ts'
import {
  fail,
  field,
  isRecord,
  optionalList,
  optionalRecord,
  type Reader,
  requiredString,
  stringMap,
  strings,
} from '../fields.ts'

/** `networking.istio.io` Sidecar: what the proxies of its namespace, or of some workloads in it, know of the rest. */
export interface Sidecar {
  id: string
  namespace: string
  cluster: string | undefined
  selector: Record<string, string> | undefined
  /** Null where it leaves that to the mesh. */
  mode: 'REGISTRY_ONLY' | 'ALLOW_ANY' | null
  /** What its proxies import; all where it has no list. */
  hosts: HostPattern[]
  /** True where replay cannot say what it imports: listeners with a port or a bind of their own, and exclusions (`~ns/host`). */
  partial: boolean
}

/** `namespace/dnsName`: `.` is the Sidecar's own, `*` any; the name may have a star in place of its first labels. */
export interface HostPattern {
  namespace: string
  dnsName: string
}

/** What is said to exist outside of the mesh. */
export interface ServiceEntry {
  namespace: string
  cluster: string | undefined
  hosts: string[]
  ports: number[]
  /** `.`, `*` or names of namespaces. */
  exportTo: string[]
}

export interface EgressDocuments {
  sidecars: Sidecar[]
  entries: ServiceEntry[]
}

const API = /^networking\.istio\.io\/(v1|v1beta1|v1alpha3)$/
const LISTENERS_MAX = 1_000
const PORTS_MAX = 256
const MODES = ['REGISTRY_ONLY', 'ALLOW_ANY'] as const

export function isIstioEgress({ apiVersion, kind }: PolicyDocument): boolean {
  return API.test(apiVersion) && (kind === 'Sidecar' || kind === 'ServiceEntry')
}

/** @throws PolicyError `bad_policy`, with the file and what to do */
export function readEgress(documents: readonly PolicyDocument[]): EgressDocuments {
  const out: EgressDocuments = { sidecars: [], entries: [] }
  const names = new Map<string, string>()
  for (const { file, kind, metadata, value } of documents) {
    const reader: Reader = { file, at: `${kind} ${typeof metadata['name'] === 'string' ? metadata['name'] : ''}` }
    const name = requiredString(metadata['name'], field(reader, 'metadata.name'))
    const namespace = requiredString(metadata['namespace'] ?? 'default', field(reader, 'metadata.namespace'))
    const cluster = stringMap(metadata['annotations'], field(reader, 'metadata.annotations'))['cinch.cluster']
    const key = JSON.stringify([kind, cluster ?? null, namespace, name])
    const other = names.get(key)
    if (other !== undefined)
      throw new PolicyError('bad_policy', `${kind} ${namespace}/${name} is also in ${other}; rename one`, file)
    names.set(key, file)
    const spec = optionalRecord(value['spec'] ?? undefined, field(reader, 'spec')) ?? {}
    const head = { id: `Sidecar ${namespace}/${name}`, namespace, cluster }
    if (kind === 'Sidecar') out.sidecars.push({ ...head, ...readSidecar(spec, reader) })
    else out.entries.push({ namespace, cluster, ...readEntry(spec, reader) })
  }
  return out
}

function readSidecar(spec: Record<string, unknown>, reader: Reader): Omit<Sidecar, 'id' | 'namespace' | 'cluster'> {
  const selector = optionalRecord(spec['workloadSelector'], field(reader, 'workloadSelector'), ['labels'])
  const policy = optionalRecord(spec['outboundTrafficPolicy'], field(reader, 'outboundTrafficPolicy')) ?? {}
  const mode = policy['mode'] ?? null
  const known = MODES.find((one) => one === mode) ?? null
  if (mode !== null && !known)
    fail(field(reader, 'outboundTrafficPolicy.mode'), `is unknown; valid: ${MODES.join(', ')}`)
  const listeners = optionalList(spec['egress'], field(reader, 'egress'), LISTENERS_MAX) ?? []
  const written = listeners.flatMap((listener) => {
    const { hosts } = optionalRecord(listener, field(reader, 'egress')) ?? {}
    return strings(hosts, field(reader, 'egress.hosts'))
  })
  const own = listeners.some(
    (listener) => isRecord(listener) && ['port', 'bind'].some((key) => listener[key] !== undefined),
  )
  return {
    selector: selector && stringMap(selector['labels'], field(reader, 'workloadSelector.labels')),
    mode: known,
    hosts: (listeners.length === 0 ? ['*/*'] : written).map((host) => readHost(host, field(reader, 'egress.hosts'))),
    partial: own || policy['egressProxy'] !== undefined || written.some((host) => /^~[^/]/.test(host)),
  }
}

function readHost(text: string, reader: Reader): HostPattern {
  const [namespace = '', dnsName = '', ...more] = text.split('/')
  const isWhole = namespace !== '' && dnsName !== '' && more.length === 0 && /^(\*|\*\.[^*]+|[^*]+)$/.test(dnsName)
  return isWhole ? { namespace, dnsName } : fail(reader, `has ${JSON.stringify(text)}; write namespace/dnsName`)
}

function readEntry(spec: Record<string, unknown>, reader: Reader): Omit<ServiceEntry, 'namespace' | 'cluster'> {
  const ports = optionalList(spec['ports'], field(reader, 'ports'), PORTS_MAX) ?? []
  const hosts = strings(spec['hosts'], field(reader, 'hosts'))
  if (hosts.length === 0) fail(field(reader, 'hosts'), 'must name a host')
  const exportTo = strings(spec['exportTo'], field(reader, 'exportTo'))
  return {
    hosts,
    exportTo: exportTo.length > 0 ? exportTo : ['*'],
    ports: ports.map((port) => {
      const number = isRecord(port) ? port['number'] : undefined
      return typeof number === 'number' ? number : fail(field(reader, 'ports'), 'must have a number each')
    }),
  }
}
