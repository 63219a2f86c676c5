import type { GraphNode, Reason, Unattributed } from '../../model/graph.ts'
import type { Inventory } from '../../model/inventory.ts'
import type { UnnamedRow } from '../../store/queries/join-answers.ts'
import type { EdgeRow, UsageRow } from '../../store/queries/rollups.ts'
import { createKeys, type Keys } from './keys.ts'
import { createParties, type Parties } from './parties.ts'

/** A rollup's row whose ends have names. */
export interface Call<Row extends EdgeRow> {
  row: Row
  source: GraphNode
  destination: GraphNode
  /** Of a caller that is an address: why nobody was named, in requests. */
  unnamed?: Why
}

type Why = ReadonlyMap<Reason, number>

export interface Calls<Row extends EdgeRow> {
  calls: Call<Row>[]
  unattributed: Unattributed[]
}

/** A row as one reporter's word on one hop, before it is decided whose word counts. */
export interface Hop<Row extends EdgeRow> {
  row: Row
  /** Undefined where nobody named the caller and no address tells. */
  source: GraphNode | undefined
  destination: GraphNode
  /** Of the two that a gateway's line tells of, the one behind it. */
  isBehind: boolean
  /** Keys of the two parties, and of both together: equal for the same, whatever reporters and channels call these. */
  caller: string
  callee: string
  pair: string
  /** Equal for hops that the same workload's proxy told of. */
  observer: string
}

/** How ends are named. */
export interface Names {
  parties: Parties
  keys: Keys
  /** All names of a row's ends; they depend on what its edge is, not on its usage. */
  endsOf(row: UsageRow): EndNames
}

export interface EndNames {
  source: GraphNode | undefined
  destination: GraphNode
  /** The gateway that logged the row. */
  gateway: GraphNode | undefined
  caller: string
  callee: string
  behind: string
  pair: string
}

/** @param rows what tells of parties: of some rows, or of all that are stored, so that a node has the same name in every window */
export function createNames(rows: readonly EdgeRow[], inventory: Inventory): Names {
  const parties = createParties(rows, inventory)
  const keys = createKeys(rows, inventory)
  return {
    parties,
    keys,
    endsOf: (row) => {
      const caller = keys.caller(row)
      const callee = keys.callee(row)
      return {
        source: row.unpaired === '' ? parties.source(row) : undefined,
        destination: parties.destination(row),
        gateway: parties.gateway(row),
        caller,
        callee,
        behind: keys.gateway(row),
        pair: pairOf(row.unpaired === '' ? caller : row.unpaired, callee),
      }
    },
  }
}

/** Names the hops of rows. Of `rows`, those of one window, it is asked who reports in it. */
export type Naming = <Row extends UsageRow>(row: Row) => Hop<Row>[]

export function createNaming(rows: readonly UsageRow[], names: Names): Naming {
  const { parties, keys, endsOf } = names
  const seenByCallee = new Set<string>()
  const seenByOthers = new Set<string>()
  for (const row of rows) {
    const { gateway, behind, callee } = endsOf(row)
    if (gateway) seenByCallee.add(behind)
    if (row.reporter === 'destination') seenByCallee.add(callee)
    else if (row.reporter !== 'span') seenByOthers.add(callee)
  }
  const isSeen = (callee: string) => seenByCallee.has(callee) || seenByOthers.has(callee)

  const naming = <Row extends UsageRow>(row: Row): Hop<Row>[] => {
    const { source, destination, gateway, caller, callee, behind: key, pair } = endsOf(row)
    if (row.reporter === 'destination')
      return [{ row, source, destination, isBehind: false, caller, callee, pair, observer: callee }]
    const again = row.destination_kind === 'internal' && seenByCallee.has(callee)
    // Whoever logged it between, the callee's line tells of the same call: of a line that does not say who called nothing is left,
    // of a gateway's line the call to the gateway itself. And a span whose caller is unknown tells nothing new of a callee that
    // others tell of.
    if (again && row.source_evidence === 'none' && (row.reporter === 'source' || row.reporter === 'flow')) return []
    if (row.unpaired !== '' && isSeen(callee)) return []
    const isBetween = gateway && (again || row.enforcement_point === 'gateway')
    const observer = row.reporter === 'source' ? caller : callee
    if (!isBetween) return [{ row, source, destination, isBehind: false, caller, callee, pair, observer }]
    const before = {
      row: { ...row, service_port: 0, workload_port: 0 },
      source,
      destination: gateway,
      isBehind: false,
      caller,
      callee: key,
      pair: pairOf(caller, key),
      observer: key,
    }
    return again || row.requests === 0 ? [before] : [before, behind(row, gateway, key)]
  }
  /** What the gateway itself sent to a callee that does not report: as a caller's sidecar tells it, with what was not refused. */
  const behind = <Row extends UsageRow>(row: Row, gateway: GraphNode, caller: string): Hop<Row> => {
    const own: Row = {
      ...row,
      reporter: 'source',
      source_evidence: gateway.kind === 'address' ? 'none' : 'address',
      source_cluster: row.cluster,
      source_namespace: gateway.namespace,
      source_workload: gateway.workload,
      source_principal: gateway.principal,
      source_address: row.destination_address,
      destination_principal: '',
      destination_workload: '',
      denied: 0,
      // Whether it passed the user's token on is not told; the replicas are its callers'.
      users: undefined,
      replicas: undefined,
    }
    const callee = keys.callee(row)
    const pair = pairOf(caller, callee)
    const destination = parties.destination(own)
    return { row: own, source: gateway, destination, isBehind: true, caller, callee, pair, observer: caller }
  }
  return naming
}

/** Names may hold any separator, so the length tells where the first one ends. */
const pairOf = (caller: string, callee: string) => `${caller.length} ${caller}${callee}`

/**
 * The hops that count, and those whose caller nobody named.
 * @param why what the caller join says of those, by edge
 */
export function callsOf<Row extends UsageRow>(hops: readonly Hop<Row>[], why: readonly UnnamedRow[] = []): Calls<Row> {
  const unattributed = new Map<string, Unattributed>()
  const calls: Call<Row>[] = []
  const reasonsOf = createReasons(why)
  for (const hop of hops) {
    const { row, destination } = hop
    const unnamed = row.source_evidence === 'none' && row.unpaired === '' ? reasonsOf(row) : undefined
    if (isNamed(hop)) calls.push(unnamed && unnamed.size > 0 ? { ...hop, unnamed } : hop)
    else count(unattributed, destination.id, row, unnamed)
  }
  return { calls, unattributed: [...unattributed.values()] }
}

const isNamed = <Row extends EdgeRow>(hop: Hop<Row>): hop is Hop<Row> & Call<Row> => hop.source !== undefined

/** Gives each row as many of its edge's reasons as it has requests: an edge's operations are rows of their own. */
function createReasons(why: readonly UnnamedRow[]): (row: UsageRow) => Why {
  const byEdge = Map.groupBy(
    why.map((entry) => ({ ...entry })),
    ({ edge }) => edge,
  )
  return (row) => {
    const given = new Map<Reason, number>()
    let left = row.requests + row.denied
    for (const entry of byEdge.get(row.edge) ?? []) {
      const requests = Math.min(left, entry.requests)
      if (requests === 0) continue
      given.set(entry.reason, requests)
      entry.requests -= requests
      left -= requests
    }
    return given
  }
}

function count(unattributed: Map<string, Unattributed>, destination: string, row: EdgeRow, why: Why = new Map()): void {
  const add = (reason: Reason, requests: number) => {
    const key = `${destination} ${reason}`
    const entry = unattributed.get(key) ?? { destination, reason, requests: 0 }
    entry.requests += requests
    unattributed.set(key, entry)
  }
  let left = row.requests + row.denied
  for (const [reason, requests] of why) {
    add(reason, requests)
    left -= requests
  }
  if (left > 0) add(row.unpaired === '' ? 'unknown' : row.unpaired, left)
}
