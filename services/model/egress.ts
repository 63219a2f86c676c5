import type { Protocol } from './operation.ts'

/** One port of a host outside of the mesh, as one namespace used it. */
export interface EgressUse {
  host: string
  port: number
  protocol: Protocol
  /** The workloads that called it. */
  callers: string[]
  requests: number
  firstSeen: string
  lastSeen: string
  /** A lower bound: of the caller that was seen on most. */
  days: number
}

/** Where a namespace's workloads call to: what leaves the mesh by host and port, and the other namespaces. */
export interface EgressNamespace {
  cluster: string
  namespace: string
  /** The namespaces of its callees, its own left out; null where one of them is not known. */
  reaches: string[] | null
  uses: EgressUse[]
  /** Uses that cannot be written, with the reason. */
  refused: { use: EgressUse; reason: string }[]
  /** True where its uses are those of gateways: others' calls pass through it. */
  gateway: boolean
  /** Where nothing was seen to leave: on how many days its own proxies told of calls. */
  quietDays?: number
}

/** A namespace whose own proxies told of the calls that its workloads make, on so many UTC days of a window. */
export interface OutboundTeller {
  cluster: string
  namespace: string
  days: number
}
