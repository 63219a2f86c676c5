import { fail, field, optionalList, optionalRecord, type Reader } from '../fields.ts'
import { type LabelSelector, readLabelSelector } from './selector.ts'

/** Which pods or addresses a rule lets in or out, and how it is written, for people. */
export type NetworkPeer = { text: string } & (
  | { is: 'address' }
  | { is: 'pods'; namespaces: LabelSelector | null; pods: LabelSelector | null }
)

/** Numbers are the pod's; a name is looked up among its containers' ports. Neither is every port. */
export interface NetworkPort {
  protocol: string
  port: number | string | null
  endPort: number
}

/** Any of the peers at any of the ports; null is everything. */
export interface NetworkRule {
  peers: NetworkPeer[] | null
  ports: NetworkPort[] | null
}

/** What a NetworkPolicy says of one direction; null where it says nothing. */
export interface NetworkPolicySpec {
  pods: LabelSelector
  /** `pods` as it is written, for people. */
  selects: string
  ingress: NetworkRule[] | null
  egress: NetworkRule[] | null
}

const PROTOCOLS = ['TCP', 'UDP', 'SCTP']

/** @throws PolicyError `bad_policy` where the API server would refuse it */
export function readNetworkPolicy(spec: Record<string, unknown>, reader: Reader): NetworkPolicySpec {
  const known = ['podSelector', 'policyTypes', 'ingress', 'egress']
  const { podSelector, policyTypes, ingress, egress } = optionalRecord(spec, field(reader, 'spec'), known) ?? {}
  const types = optionalList(policyTypes, field(reader, 'policyTypes'), 2) ?? []
  const stray = types.find((type) => type !== 'Ingress' && type !== 'Egress')
  if (stray !== undefined) fail(field(reader, 'policyTypes'), `has ${JSON.stringify(stray)}; valid: Ingress, Egress`)
  const incoming = readRules(ingress, field(reader, 'ingress'), 'from')
  const outgoing = readRules(egress, field(reader, 'egress'), 'to')
  // Without types, a policy is for what comes in, and for what goes out only where it has rules for it.
  const covers = (type: string, byDefault: boolean) => (types.length === 0 ? byDefault : types.includes(type))
  return {
    pods: readLabelSelector(podSelector ?? undefined, field(reader, 'podSelector')),
    selects: JSON.stringify(podSelector ?? {}),
    ingress: covers('Ingress', true) ? incoming : null,
    egress: covers('Egress', outgoing.length > 0) ? outgoing : null,
  }
}

function readRules(value: unknown, reader: Reader, direction: 'from' | 'to'): NetworkRule[] {
  const list = optionalList(value ?? undefined, reader, Number.POSITIVE_INFINITY) ?? []
  return list.map((item, index) => {
    const at = field(reader, `[${index}]`)
    const rule = optionalRecord(item ?? undefined, at, [direction, 'ports']) ?? {}
    const peers = readList(rule[direction], field(at, direction), readPeer)
    return { peers, ports: readList(rule['ports'], field(at, 'ports'), readPort) }
  })
}

// An empty list is like none: everything.
function readList<T>(value: unknown, reader: Reader, read: (item: unknown, at: Reader) => T): T[] | null {
  const list = optionalList(value ?? undefined, reader, Number.POSITIVE_INFINITY) ?? []
  return list.length === 0 ? null : list.map((item, index) => read(item, field(reader, `[${index}]`)))
}

function readPeer(value: unknown, reader: Reader): NetworkPeer {
  const peer = optionalRecord(value ?? undefined, reader, ['podSelector', 'namespaceSelector', 'ipBlock']) ?? {}
  const { podSelector, namespaceSelector, ipBlock } = peer
  if (ipBlock !== undefined) {
    if (podSelector !== undefined || namespaceSelector !== undefined) fail(reader, 'has selectors beside ipBlock')
    const { cidr } = optionalRecord(ipBlock, field(reader, 'ipBlock'), ['cidr', 'except']) ?? {}
    if (typeof cidr !== 'string') fail(field(reader, 'ipBlock'), 'has no cidr')
    return { is: 'address', text: JSON.stringify(value) }
  }
  if (podSelector === undefined && namespaceSelector === undefined)
    fail(reader, 'is empty; name pods, namespaces or an ipBlock')
  const read = (selector: unknown, name: string) =>
    selector === undefined ? null : readLabelSelector(selector, field(reader, name))
  return {
    is: 'pods',
    text: JSON.stringify(value),
    namespaces: read(namespaceSelector, 'namespaceSelector'),
    pods: read(podSelector, 'podSelector'),
  }
}

function readPort(value: unknown, reader: Reader): NetworkPort {
  const record = optionalRecord(value ?? undefined, reader, ['protocol', 'port', 'endPort']) ?? {}
  const { protocol = 'TCP', port = null, endPort } = record
  if (typeof protocol !== 'string' || !PROTOCOLS.includes(protocol)) {
    fail(field(reader, 'protocol'), `is unknown; valid: ${PROTOCOLS.join(', ')}`)
  }
  if (port !== null && !(typeof port === 'string' ? isPortName(port) : isPort(port))) {
    fail(field(reader, 'port'), `has ${JSON.stringify(port)}, which is neither a port nor a name of one`)
  }
  if (endPort === undefined) return { protocol, port: port as number | string | null, endPort: 0 }
  if (typeof port !== 'number' || !isPort(endPort) || (endPort as number) < port) {
    fail(field(reader, 'endPort'), 'needs a port that is a number and not above it')
  }
  return { protocol, port, endPort: endPort as number }
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
}

function isPortName(text: string): boolean {
  return /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(text) && !text.includes('--')
}
