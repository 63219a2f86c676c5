import type { Protocol } from './world.ts'

/** What a call is part of. It travels with the call in the header `x-lab`, which no Envoy logs. */
export interface Context {
  /** Number of the plan's item. */
  item: number
  situation: string
  attack: boolean
  /** Who is logged in, if anybody. */
  user: string
}

/** A call as its caller made it: one record, whatever the proxies made of it. */
export interface Sent extends Context {
  kind: 'sent'
  call: string
  /** ISO 8601, when it began. */
  time: string
  /** Workload, or `client:<address>` for users. */
  caller: string
  /** Gateways that repeat the request under their own identity, in order. The transit gateway does not, so it is not here. */
  via: string[]
  /** Service that was meant, as its workload or its external host. */
  callee: string
  protocol: Protocol
  method: string
  path: string
  template: string
  /** HTTP status, 0 without an answer; of gRPC 200, or 403 where the callee's proxy refused. */
  status: number
  /** Who said no: the callee's proxy by its policy, the first gateway, or a listener that takes no plain text. */
  refused_by: '' | 'callee' | 'gateway' | 'listener'
  /** False where a proxy answered in the application's place. */
  answered: boolean
}

/** A call as the callee's application received it: one record for each attempt. */
export interface Received extends Context {
  kind: 'received'
  call: string
  time: string
  caller: string
  via: string[]
  callee: string
  port: number
  protocol: Protocol
  method: string
  path: string
  template: string
  status: number
  /** Headers that the last proxy set or passed on; empty where the protocol has none. */
  request_id: string
  traceparent: string
  /** True where it came around the sidecar. */
  bypass: boolean
}

export type TruthRecord = Sent | Received

/** One edge of the run with its exact counts; `operations` sum up to them. */
export interface TruthEdge {
  source: string
  destination: string
  protocol: Protocol
  requests: number
  denied: number
  operations: { method: string; template: string; requests: number; denied: number }[]
}

/** The record of a run, kept by applications and driver and by nobody else. */
export interface Truth {
  records: TruthRecord[]
  sent(record: Omit<Sent, 'kind'>): void
  received(record: Omit<Received, 'kind'>): void
}

export function createTruth(): Truth {
  const records: TruthRecord[] = []
  return {
    records,
    sent: (record) => void records.push({ kind: 'sent', ...record }),
    received: (record) => void records.push({ kind: 'received', ...record }),
  }
}

export const isSent = (record: TruthRecord): record is Sent => record.kind === 'sent'
export const isReceived = (record: TruthRecord): record is Received => record.kind === 'received'

interface Hop {
  source: string
  destination: string
  of: Pick<Sent, 'protocol' | 'method' | 'template'>
  denied: boolean
}

/**
 * The graph of what really happened, by hops between identities. An attempt that reached an application counts as a request
 * on the last hop; a refusal counts as denied where it was decided; a gateway is a hop of its own; what a caller's own proxy
 * repeats to the same callee is several requests. What neither arrived nor was refused (no answer, nobody there) is no hop.
 */
export function truthGraph(records: readonly TruthRecord[]): TruthEdge[] {
  const hops = [...records.filter(isSent).flatMap(hopsOfCaller), ...records.filter(isReceived).map(hopOfCallee)]
  const edges = new Map<string, TruthEdge>()
  for (const { source, destination, of, denied } of hops) {
    const key = JSON.stringify([source, destination, of.protocol])
    const edge = edges.get(key) ?? {
      source,
      destination,
      protocol: of.protocol,
      requests: 0,
      denied: 0,
      operations: [],
    }
    edges.set(key, edge)
    const { method, template } = of
    const known = edge.operations.find((entry) => entry.method === method && entry.template === template)
    const operation = known ?? { method, template, requests: 0, denied: 0 }
    if (!known) edge.operations.push(operation)
    const count = denied ? 'denied' : 'requests'
    edge[count]++
    operation[count]++
  }
  return [...edges.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

const keyOf = ({ source, destination, protocol }: TruthEdge) => `${source} ${destination} ${protocol}`

/** What a listener refuses before anything of a request is read. */
const CONNECTION = { protocol: 'tcp', method: '', template: '' } as const

/** The hop to the first gateway, which the caller made itself, and the refused last one, which no application saw. */
function hopsOfCaller(sent: Sent): Hop[] {
  const [gateway] = sent.via
  const last = sent.via.at(-1) ?? sent.caller
  const first = gateway
    ? [{ source: sent.caller, destination: gateway, of: sent, denied: sent.refused_by === 'gateway' }]
    : []
  const isRefused = sent.refused_by === 'callee' || sent.refused_by === 'listener'
  const of = sent.refused_by === 'listener' ? CONNECTION : sent
  return [...first, ...(isRefused ? [{ source: last, destination: sent.callee, of, denied: true }] : [])]
}

const hopOfCallee = (received: Received): Hop => ({
  source: received.via.at(-1) ?? received.caller,
  destination: received.callee,
  of: received,
  denied: false,
})
