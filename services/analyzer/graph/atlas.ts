import type { GraphNode } from '../../model/graph.ts'
import type { UsageRow } from '../../store/queries/rollups.ts'
import type { Names } from './calls.ts'
import { addTold } from './graph.ts'

/** Edges around a node that are looked up by their ids; of more, it is quicker to ask for all. */
const AROUND_EDGES_MAX = 6_000

/** Which edges end where, in any window. */
export interface Atlas {
  /** Nodes with all that was ever told of them: an hour does not show every cluster of a workload. */
  nodes: ReadonlyMap<string, GraphNode>
  /**
   * Edges that decide what counts within `depth` hops of a node: those that end there, and those that may tell of the same calls.
   * Undefined where these are too many.
   */
  around(focus: string, depth: number): string[] | undefined
  /** Takes in edges that are new since. */
  grow(): void
}

type Index = Map<string, UsageRow[]>

interface Indexes {
  endsOf: Names['endsOf']
  byNode: Index
  /** By the keys that decide which rows tell of the same calls. */
  byCallee: Index
  byCaller: Index
  /** Edges of which both ends are addresses: any channel may know them by names. */
  loose: UsageRow[]
  channels: Set<string>
}

export function createAtlas(names: Names, edges: ReadonlyMap<string, UsageRow>): Atlas {
  const nodes = new Map<string, GraphNode>()
  const indexes: Indexes = {
    endsOf: names.endsOf,
    byNode: new Map(),
    byCallee: new Map(),
    byCaller: new Map(),
    loose: [],
    channels: new Set(),
  }
  let read = 0
  const grow = () => {
    let index = 0
    for (const row of edges.values()) {
      if (index++ < read) continue
      const { source, destination, gateway } = names.endsOf(row)
      see(nodes, source, row.source_cluster)
      see(nodes, destination, row.cluster)
      see(nodes, gateway, row.cluster)
      add(indexes, row)
    }
    read = edges.size
  }
  grow()
  return {
    nodes,
    grow,
    around: (focus, depth) => {
      const start = touching(indexes, focus, depth)
      const found = start && withAlike(indexes, start)
      return found && [...found].map(({ edge }) => edge)
    },
  }
}

function add({ endsOf, byNode, byCallee, byCaller, loose, channels }: Indexes, row: UsageRow): void {
  const { source, destination, gateway, caller, callee, behind } = endsOf(row)
  for (const id of new Set([source?.id, destination.id, gateway?.id])) if (id !== undefined) put(byNode, id, row)
  for (const key of gateway ? new Set([callee, behind]) : [callee]) put(byCallee, key, row)
  for (const key of gateway ? new Set([caller, behind]) : [caller]) put(byCaller, key, row)
  if (isAddress(caller) && isAddress(callee)) loose.push(row)
  if (row.reporter !== 'span') channels.add(`${row.source_format} ${row.sender}`)
}

/** Edges that end at nodes within so many hops. */
function touching({ endsOf, byNode }: Indexes, focus: string, depth: number): Set<UsageRow> | undefined {
  const within = new Set([focus])
  const found = new Set<UsageRow>()
  let frontier: ReadonlySet<string> = within
  for (let hop = 0; hop < depth; hop++) {
    const next = new Set<string>()
    for (const id of frontier)
      for (const row of byNode.get(id) ?? []) {
        found.add(row)
        const { source, destination, gateway } = endsOf(row)
        for (const node of [source, destination, gateway]) if (node && !within.has(node.id)) next.add(node.id)
      }
    if (found.size > AROUND_EDGES_MAX) return undefined
    for (const id of next) within.add(id)
    frontier = next
  }
  return found
}

/** With all that may tell of the same calls, or say who reports; a set grows while it is gone through. */
function withAlike(indexes: Indexes, start: ReadonlySet<UsageRow>): Set<UsageRow> | undefined {
  const { endsOf, byCallee, byCaller, loose, channels } = indexes
  const isOneChannel = channels.size < 2
  const found = new Set(start)
  const taken = new Set<string>()
  const take = (kind: string, key: string, rows: () => readonly UsageRow[]) => {
    if (taken.has(`${kind} ${key}`)) return
    taken.add(`${kind} ${key}`)
    for (const row of rows()) found.add(row)
  }
  const mayBeAlike = (row: UsageRow) => row.reporter !== 'destination' || isAddress(endsOf(row).callee)
  if (!isOneChannel) for (const row of loose) found.add(row)
  for (const row of found) {
    if (found.size > AROUND_EDGES_MAX) return undefined
    const { gateway, caller, callee, behind } = endsOf(row)
    for (const key of gateway ? [callee, behind] : [callee])
      if (start.has(row) || isAddress(key)) take('callee', key, () => byCallee.get(key) ?? [])
    // Channels may know a callee by its address only, and whether two are one, another call of the same caller may tell.
    if (isOneChannel) continue
    for (const key of gateway ? [caller, behind] : [caller]) {
      if (!start.has(row) && !isAddress(key)) continue
      if (isAddress(callee)) take('any caller', key, () => byCaller.get(key) ?? [])
      else take('caller', key, () => (byCaller.get(key) ?? []).filter(mayBeAlike))
    }
  }
  return found
}

const isAddress = (key: string) => key.startsWith('address:')

function put(index: Index, key: string, row: UsageRow): void {
  const known = index.get(key)
  if (known) known.push(row)
  else index.set(key, [row])
}

function see(nodes: Map<string, GraphNode>, node: GraphNode | undefined, cluster: string): void {
  if (!node) return
  const known = nodes.get(node.id)
  if (!known) nodes.set(node.id, { ...node, cluster })
  else addTold(known, node, cluster)
}
