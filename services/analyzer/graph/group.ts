import { EVIDENCE } from '../../model/evidence.ts'
import type { Graph, GraphEdge, GraphNode, Grouping } from '../../model/graph.ts'
import { addUnnamed } from './graph.ts'

/** A screen never gets more; beyond, namespaces stand for their members. */
export const NODES_MAX = 150
export const EDGES_MAX = 300

const groupId = (node: GraphNode) => `group:${node.cluster}/${node.namespace}`

/**
 * Cuts a graph to at most `limit` nodes and `EDGES_MAX` edges: namespaces become groups, but for those in `expanded`. A
 * group that is too large to be opened whole shows its most used members, and goes on standing for the others. What still
 * is too much is left out from the least used end, and the totals say so.
 */
export function groupGraph(graph: Graph, limit: number, expanded: ReadonlySet<string>): Graph & { grouping: Grouping } {
  const nodesMax = Math.max(1, Math.min(limit, NODES_MAX))
  const folds = graph.nodes.length > nodesMax || expanded.size > 0
  const grouped = folds ? fold(graph, openNodes(graph, expanded, nodesMax)) : graph
  const edges = [...grouped.edges].sort((a, b) => b.requests + b.denied - (a.requests + a.denied))
  const nodes = mostUsed(grouped.nodes, edges, nodesMax)
  const shown = new Set(nodes.map((node) => node.id))
  const shownEdges = edges.filter((edge) => shown.has(edge.source) && shown.has(edge.destination)).slice(0, EDGES_MAX)
  const groups = nodes.filter((node) => node.kind === 'group').map((node) => node.id)
  const grouping: Grouping = {
    total_nodes: graph.nodes.length,
    shown_nodes: nodes.length,
    total_edges: graph.edges.length,
    shown_edges: shownEdges.length,
    by: groups.length > 0 ? 'namespace' : 'none',
    groups,
  }
  return { ...graph, nodes, edges: shownEdges, grouping }
}

/** The nodes that stand for themselves: members of opened groups, in the order in which these were asked for, while they fit. */
function openNodes(graph: Graph, expanded: ReadonlySet<string>, nodesMax: number): ReadonlySet<string> {
  const members = Map.groupBy(graph.nodes, groupId)
  // One namespace for all: folded, nothing would be left to see.
  const asked = members.size === 1 ? [...members.keys()] : [...expanded]
  let room = nodesMax - members.size
  const open = new Set<string>()
  for (const group of asked) {
    const all = members.get(group) ?? []
    // The group's own place is free once none of its members needs it.
    const fitting = all.length <= room + 1 ? all : mostUsed(all, graph.edges, Math.max(0, room))
    for (const node of fitting) open.add(node.id)
    room -= fitting.length === all.length ? Math.max(0, all.length - 1) : fitting.length
  }
  return open
}

function fold(graph: Graph, open: ReadonlySet<string>): Graph {
  const groups = Map.groupBy(graph.nodes, groupId)
  const idOf = new Map<string, string>()
  const nodes: GraphNode[] = []
  for (const [group, members] of groups) {
    const folded = members.filter((node) => !open.has(node.id))
    // A group of one would only hide a name.
    const stay = folded.length === 1 ? members : members.filter((node) => open.has(node.id))
    for (const node of folded) idOf.set(node.id, folded.length === 1 ? node.id : group)
    nodes.push(...stay, ...(folded.length > 1 ? [groupNode(group, folded)] : []))
  }
  const edges = new Map<string, GraphEdge>()
  for (const edge of graph.edges) {
    const source = idOf.get(edge.source) ?? edge.source
    const destination = idOf.get(edge.destination) ?? edge.destination
    if (source === edge.source && destination === edge.destination)
      edges.set(JSON.stringify([source, destination, edge.service_port, edge.workload_port, edge.protocol]), edge)
    else if (source !== destination) addEdge(edges, { ...edge, source, destination })
  }
  return { ...graph, nodes, edges: [...edges.values()] }
}

function groupNode(id: string, members: GraphNode[]): GraphNode {
  const [first] = members
  return {
    id,
    kind: 'group',
    name: first?.namespace || '(no namespace)',
    namespace: first?.namespace ?? '',
    workload: '',
    cluster: first?.cluster ?? '',
    principal: '',
    members: members.length,
  }
}

/** Sums edges between groups: the weakest evidence is what can be said of all of them. */
function addEdge(edges: Map<string, GraphEdge>, edge: GraphEdge): void {
  const key = JSON.stringify([edge.source, edge.destination])
  const known = edges.get(key)
  if (!known) {
    edges.set(key, { ...edge, service_port: 0, workload_port: 0, operations: [] })
    return
  }
  known.requests += edge.requests
  known.denied += edge.denied
  addUnnamed(known, edge.unnamed)
  if (known.protocol !== edge.protocol) known.protocol = 'unknown'
  if (EVIDENCE[edge.evidence] < EVIDENCE[known.evidence]) known.evidence = edge.evidence
  if (edge.mtls === 'no' || known.mtls === 'yes') known.mtls = edge.mtls
  if (edge.first_seen < known.first_seen) known.first_seen = edge.first_seen
  if (edge.last_seen > known.last_seen) known.last_seen = edge.last_seen
}

function mostUsed(nodes: GraphNode[], edges: GraphEdge[], max: number): GraphNode[] {
  if (nodes.length <= max) return nodes
  const use = new Map<string, number>()
  for (const edge of edges)
    for (const id of [edge.source, edge.destination]) use.set(id, (use.get(id) ?? 0) + edge.requests + edge.denied)
  return [...nodes].sort((a, b) => (use.get(b.id) ?? 0) - (use.get(a.id) ?? 0)).slice(0, max)
}
