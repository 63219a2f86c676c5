import type { Graph, GraphNode, GroupBy, Screen } from '../../model/graph.ts'
import { parsePrincipal, workloadId } from '../../model/identity.ts'
import type { Inventory, Workload } from '../../model/inventory.ts'
import { type GroupOf, groupedBy, groupGraph } from './group.ts'

/** Hops from the focus that can be asked for; behind three, most meshes are seen whole. */
export const DEPTH_MAX = 3

/** What a screen asks for. */
export interface View {
  /** Most nodes to show, at most `NODES_MAX`. */
  limit: number
  by: GroupBy
  /** Ids of groups that are opened. */
  expand: ReadonlySet<string>
  /** Node id: only what is within `depth` hops of it. */
  focus?: string | undefined
  depth: number
  /** Node ids of callers that are left out, such as scrapers. */
  hide: readonly string[]
}

/** Cuts a window's graph to what was asked for. @param nodes what is known of nodes beyond the window */
export function screenOf(
  graph: Graph,
  view: View,
  inventory: Inventory,
  nodes: ReadonlyMap<string, GraphNode>,
): Screen {
  const shown = without(graph, view.hide)
  const asked = view.focus === undefined ? shown : around(shown, view.focus, view.depth)
  const known = asked.nodes.map((node) => nodes.get(node.id) ?? node)
  return groupGraph({ ...asked, nodes: known }, view.limit, view.expand, view.by, groupsOf(inventory, view.by))
}

/** The graph without what some callers did, and without nodes that then have no edge. */
function without(graph: Graph, hide: readonly string[]): Graph {
  if (hide.length === 0) return graph
  const hidden = new Set(hide)
  return withNodesOf({ ...graph, edges: graph.edges.filter(({ source }) => !hidden.has(source)) })
}

/** What is within so many hops of a node, in both directions. */
function around(graph: Graph, focus: string, depth: number): Graph {
  let within = new Set([focus])
  let edges: Graph['edges'] = []
  for (let hop = 0; hop < Math.min(depth, DEPTH_MAX); hop++) {
    edges = graph.edges.filter(({ source, destination }) => within.has(source) || within.has(destination))
    within = new Set([focus, ...edges.flatMap(({ source, destination }) => [source, destination])])
  }
  const unattributed = graph.unattributed.filter(({ destination }) => within.has(destination))
  return withNodesOf({ ...graph, edges, unattributed }, focus)
}

function withNodesOf(graph: Graph, also?: string): Graph {
  const ends = new Set(graph.edges.flatMap(({ source, destination }) => [source, destination]))
  for (const { destination } of graph.unattributed) ends.add(destination)
  return { ...graph, nodes: graph.nodes.filter(({ id }) => ends.has(id) || id === also) }
}

/** Of which group a node is, by what was asked for; owner, labels and the like are those that objects declare. */
export function groupsOf(inventory: Inventory, by: GroupBy): GroupOf {
  if (by === 'namespace') return groupedBy(({ cluster, namespace }) => `${cluster}/${namespace}`)
  if (by === 'cluster') return groupedBy(({ cluster }) => cluster)
  if (by === 'trust-domain') return groupedBy(({ principal }) => parsePrincipal(principal)?.trustDomain ?? '')
  const declared = new Map<string, Workload>()
  for (const workload of inventory.workloads) {
    const id = workloadId(workload.namespace, workload.name)
    if (!declared.has(id)) declared.set(id, workload)
  }
  return groupedBy(({ id }) => {
    const workload = declared.get(id)
    if (!workload) return ''
    return by.startsWith('label:')
      ? (workload.labels[by.slice('label:'.length)] ?? '')
      : (workload[by as 'owner' | 'sensitivity' | 'category'] ?? '')
  })
}
