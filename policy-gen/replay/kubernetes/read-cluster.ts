import { fail, field, optionalList, optionalRecord, type Reader } from '../fields.ts'
import type { NetworkPeer, NetworkPort } from './read-policy.ts'
import { type LabelSelector, readLabelSelector } from './selector.ts'

export const ACTIONS = ['Accept', 'Deny', 'Pass'] as const
export type TierAction = (typeof ACTIONS)[number]

/** A rule of a cluster's own policies: the first that matches decides, in order. */
export interface TierRule {
  action: TierAction
  peers: NetworkPeer[]
  /** Null is every port of every protocol. */
  ports: NetworkPort[] | null
}

/** What a cluster's own policy says: for pods of any namespace, before NetworkPolicies (Admin) or after them (Baseline). */
export interface TierSpec {
  tier: 'Admin' | 'Baseline'
  /** Lower goes first. */
  priority: number
  subject: { namespaces: LabelSelector; pods: LabelSelector | null }
  ingress: TierRule[]
  egress: TierRule[]
}

const PRIORITY_MAX = 1000
const PROTOCOLS = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP' } as const

/** How the kinds write the same things. */
interface Dialect {
  rulesMax: number
  peersMax: number
  actions: Record<string, TierAction>
  known: readonly string[]
  ports: (rule: Record<string, unknown>, reader: Reader) => NetworkPort[] | null
}

/** ClusterNetworkPolicy, policy.networking.k8s.io/v1alpha2 and v1beta1. */
const CLUSTER: Dialect = {
  rulesMax: 25,
  peersMax: 25,
  actions: { Accept: 'Accept', Deny: 'Deny', Pass: 'Pass' },
  known: ['name', 'action', 'protocols'],
  ports: ({ protocols }, reader) => listOf(protocols, field(reader, 'protocols'), 25, readProtocol),
}

/** AdminNetworkPolicy and BaselineAdminNetworkPolicy, policy.networking.k8s.io/v1alpha1, which it replaced. */
const ADMIN: Dialect = {
  rulesMax: 100,
  peersMax: 100,
  actions: { Allow: 'Accept', Deny: 'Deny', Pass: 'Pass' },
  known: ['name', 'action', 'ports'],
  ports: ({ ports }, reader) => listOf(ports, field(reader, 'ports'), 100, readAdminPort),
}
const BASELINE: Dialect = { ...ADMIN, actions: { Allow: 'Accept', Deny: 'Deny' } }

/** @throws PolicyError `bad_policy` where the API server would refuse it */
export function readTierSpec(kind: string, spec: Record<string, unknown>, reader: Reader): TierSpec {
  const cluster = kind === 'ClusterNetworkPolicy'
  const baseline = kind === 'BaselineAdminNetworkPolicy'
  const dialect = cluster ? CLUSTER : baseline ? BASELINE : ADMIN
  const known = [...(cluster ? ['tier'] : []), ...(baseline ? [] : ['priority']), 'subject', 'ingress', 'egress']
  const record = optionalRecord(spec, field(reader, 'spec'), known) ?? {}
  const { priority = baseline ? 0 : undefined, subject, ingress, egress } = record
  const tier = cluster ? record['tier'] : baseline ? 'Baseline' : 'Admin'
  if (tier !== 'Admin' && tier !== 'Baseline') fail(field(reader, 'tier'), 'must be Admin or Baseline')
  if (!isNumber(priority, 0, PRIORITY_MAX)) fail(field(reader, 'priority'), `must be a number up to ${PRIORITY_MAX}`)
  const pods = readPods(subject, field(reader, 'subject'), [])
  if (pods.is !== 'pods' || pods.namespaces === null) fail(field(reader, 'subject'), 'must be namespaces or pods')
  return {
    tier,
    priority,
    subject: { namespaces: pods.namespaces, pods: pods.pods },
    ingress: readRules(ingress, field(reader, 'ingress'), 'from', dialect),
    egress: readRules(egress, field(reader, 'egress'), 'to', dialect),
  }
}

function readRules(value: unknown, reader: Reader, direction: 'from' | 'to', dialect: Dialect): TierRule[] {
  const list = optionalList(value ?? undefined, reader, dialect.rulesMax) ?? []
  return list.map((item, index) => {
    const at = field(reader, `[${index}]`)
    const rule = optionalRecord(item ?? undefined, at, [...dialect.known, direction]) ?? {}
    const { action: written } = rule
    const action = typeof written === 'string' ? dialect.actions[written] : undefined
    if (!action) fail(field(at, 'action'), `is unknown; valid: ${Object.keys(dialect.actions).join(', ')}`)
    // Nodes, networks and names are for what lies outside of pods.
    const others = direction === 'to' ? ['nodes', 'networks', 'domainNames'] : []
    const peers = listOf(rule[direction], field(at, direction), dialect.peersMax, (peer, where) =>
      readPods(peer, where, others),
    )
    if (!peers) fail(field(at, direction), 'must not be empty')
    return { action, peers, ports: dialect.ports(rule, at) }
  })
}

function readPods(value: unknown, reader: Reader, others: readonly string[]): NetworkPeer {
  const record = optionalRecord(value ?? undefined, reader, ['namespaces', 'pods', ...others]) ?? {}
  const { namespaces, pods } = record
  if (Object.keys(record).length !== 1) fail(reader, 'must have exactly one field')
  const text = JSON.stringify(value)
  if (namespaces !== undefined) {
    return { is: 'pods', text, namespaces: readLabelSelector(namespaces, field(reader, 'namespaces')), pods: null }
  }
  if (pods === undefined) return { is: 'address', text }
  const at = field(reader, 'pods')
  const { namespaceSelector, podSelector } = optionalRecord(pods, at, ['namespaceSelector', 'podSelector']) ?? {}
  return {
    is: 'pods',
    text,
    namespaces: readLabelSelector(namespaceSelector ?? {}, field(at, 'namespaceSelector')),
    pods: readLabelSelector(podSelector ?? {}, field(at, 'podSelector')),
  }
}

function listOf<T>(
  value: unknown,
  reader: Reader,
  itemsMax: number,
  read: (item: unknown, at: Reader) => T,
): T[] | null {
  const list = optionalList(value ?? undefined, reader, itemsMax)
  if (list === undefined || list.length === 0) return null
  return list.map((item, index) => read(item, field(reader, `[${index}]`)))
}

function readProtocol(value: unknown, reader: Reader): NetworkPort {
  const record = optionalRecord(value ?? undefined, reader, [...Object.keys(PROTOCOLS), 'destinationNamedPort']) ?? {}
  const [name, ...others] = Object.keys(record)
  if (name === undefined || others.length > 0) fail(reader, 'must have exactly one field')
  // A name does not say its protocol; it is looked up among the pod's ports.
  if (name === 'destinationNamedPort') return { protocol: 'TCP', port: String(record[name]), endPort: 0 }
  const protocol = PROTOCOLS[name as keyof typeof PROTOCOLS]
  const { destinationPort } = optionalRecord(record[name], field(reader, name), ['destinationPort']) ?? {}
  if (destinationPort === undefined) return { protocol, port: null, endPort: 0 }
  const at = field(reader, `${name}.destinationPort`)
  const { number, range } = optionalRecord(destinationPort, at, ['number', 'range']) ?? {}
  if ((number === undefined) === (range === undefined)) fail(at, 'needs either a number or a range')
  return range === undefined ? single(protocol, number, at) : readRange(protocol, range, at)
}

function readAdminPort(value: unknown, reader: Reader): NetworkPort {
  const record = optionalRecord(value ?? undefined, reader, ['portNumber', 'portRange', 'namedPort']) ?? {}
  const { portNumber, portRange, namedPort } = record
  if (Object.keys(record).length !== 1) fail(reader, 'must have exactly one field')
  if (namedPort !== undefined) return { protocol: 'TCP', port: String(namedPort), endPort: 0 }
  const at = field(reader, portNumber === undefined ? 'portRange' : 'portNumber')
  const known = portNumber === undefined ? ['protocol', 'start', 'end'] : ['protocol', 'port']
  const fields = optionalRecord(portNumber ?? portRange, at, known) ?? {}
  const { protocol = 'TCP' } = fields
  if (typeof protocol !== 'string') fail(field(at, 'protocol'), 'must be a string')
  if (portNumber !== undefined) return single(protocol, fields['port'], at)
  return readRange(protocol, { start: fields['start'], end: fields['end'] }, at)
}

function single(protocol: string, port: unknown, reader: Reader): NetworkPort {
  if (!isNumber(port, 1, 65_535)) fail(reader, `has ${JSON.stringify(port)}, which is no port`)
  return { protocol, port, endPort: 0 }
}

function readRange(protocol: string, value: unknown, reader: Reader): NetworkPort {
  const { start, end } = optionalRecord(value ?? undefined, reader, ['start', 'end']) ?? {}
  if (!isNumber(start, 1, 65_535) || !isNumber(end, 1, 65_535) || start >= end)
    fail(reader, 'needs a start below its end')
  return { protocol, port: start, endPort: end }
}

function isNumber(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}
