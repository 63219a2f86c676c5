import { DAY_MS } from './rhythm.ts'

/** One end of a call as it really was, whatever the lines tell of it. */
export interface TruthParty {
  kind: 'workload' | 'external' | 'node'
  cluster: string
  namespace: string
  workload: string
  /** Without `spiffe://`; empty when it has none or showed none. */
  principal: string
}

/** What is the same for all calls of one operation. */
export interface TruthOperation {
  source: TruthParty
  destination: TruthParty & { service: string }
  service_port: number
  workload_port: number
  protocol: 'http' | 'grpc'
  method: string
  /** Template by type (`/orders/{uuid}`), no query. */
  path: string
  /** Of each parameter of the path, in order: how many distinct values exist (0: a sequence, as many as asked for). */
  parameter_values: number[]
  mtls: boolean
  /** Host asked for beyond the egress gateway, else empty. */
  external_host: string
  /** Who logs it: the callee's proxy, the caller's, a gateway (the callee at an ingress, the caller behind it). */
  reporters: ('destination' | 'source' | 'gateway')[]
}

export interface TruthCounts {
  /** Served by the callee, also with an error of its own; refused ones are not among them. */
  requests: number
  /** Refused by the platform. */
  denied: number
  /** ISO 8601; empty when there was no call. */
  first_seen: string
  last_seen: string
  /** Distinct UTC days. */
  days: number
}

/** One operation of one caller at one callee; each call counts once, however many proxies logged it. */
export type TruthCall = TruthOperation & TruthCounts

/** Something planted, with what was counted of its evidence in this window. */
export interface TruthPlant extends TruthCounts {
  id: string
  title: string
  notice: string
  /** `source > service METHOD template` of the evidence; empty for what stands in the objects. */
  operations: string[]
}

export interface Truth {
  scenario: 'shop'
  seed: number
  window: { since: string; until: string }
  /** Sum of `requests` and `denied` of all calls. */
  calls_total: number
  /** Lines written by cluster: more than the calls where both sides log, fewer where a gateway's line tells two calls. */
  lines: Record<string, number>
  calls: TruthCall[]
  problems: TruthPlant[]
  distractors: TruthPlant[]
  /** Last days of a month whose closing (22:00 to 23:00 UTC) touches the window. */
  calendar: { month_ends_in_window: string[]; canary_since: string }
  /** Access that its owner declares, seen in the window or not. */
  declared: { journey: string; why: string; owner: string; seen: boolean; operations: string[] }[]
}

/** Counts while the calls are made. */
export interface Tally {
  requests: number
  denied: number
  firstMs: number
  lastMs: number
  lastDay: number
  days: Set<number>
}

export function createTally(): Tally {
  return { requests: 0, denied: 0, firstMs: Number.POSITIVE_INFINITY, lastMs: 0, lastDay: -1, days: new Set() }
}

/** Counts one call that began at `timeMs` (Unix milliseconds). */
export function count(tally: Tally, refused: boolean, timeMs: number): void {
  if (refused) tally.denied++
  else tally.requests++
  if (timeMs < tally.firstMs) tally.firstMs = timeMs
  if (timeMs > tally.lastMs) tally.lastMs = timeMs
  const day = Math.floor(timeMs / DAY_MS)
  if (day !== tally.lastDay) {
    tally.lastDay = day
    tally.days.add(day)
  }
}

/** Keeps one tally for each operation and each planted thing. */
export class Ledger {
  readonly plants = new Map<string, Tally>()
  readonly journeys = new Set<string>()
  readonly lines: number[] = []
  readonly #operations = new Map<string, { operation: TruthOperation; tally: Tally }>()

  /** The tally of an operation: equal operations of several journeys share one. */
  open(operation: TruthOperation): Tally {
    const key = JSON.stringify({ ...operation, parameter_values: [], reporters: [] })
    const known = this.#operations.get(key)
    if (known) return known.tally
    const tally = createTally()
    this.#operations.set(key, { operation, tally })
    return tally
  }

  plant(id: string): Tally {
    const tally = this.plants.get(id) ?? createTally()
    this.plants.set(id, tally)
    return tally
  }

  /** All operations that were called, in a stable order. */
  calls(): TruthCall[] {
    const called = [...this.#operations.entries()].filter(([, { tally }]) => tally.requests + tally.denied > 0)
    called.sort(([a], [b]) => (a < b ? -1 : 1))
    return called.map(([, { operation, tally }]) => ({ ...operation, ...countsOf(tally) }))
  }
}

export function countsOf(tally: Tally): TruthCounts {
  const seen = tally.requests + tally.denied > 0
  const { requests, denied } = tally
  const first_seen = seen ? new Date(tally.firstMs).toISOString() : ''
  const last_seen = seen ? new Date(tally.lastMs).toISOString() : ''
  return { requests, denied, first_seen, last_seen, days: tally.days.size }
}
