import { EVIDENCE } from '../../model/evidence.ts'
import type { Graph, GraphEdge, GraphNode, GroupBy, Screen, Unattributed } from '../../model/graph.ts'
import { byText } from '../../model/order.ts'
import { addUnnamed } from './graph.ts'
import { networkOf } from './network.ts'
import { EDGES_MAX, placeNodes } from './places.ts'

/** The group that stands for a node: an address's network, one for all hosts outside, else what it is grouped by. */
export type GroupOf = (node: GraphNode) => string

export const byNamespace: GroupOf = groupedBy((node) => `${node.cluster}/${node.namespace}`)

export function groupedBy(keyOf: (node: GraphNode) => string): GroupOf {
  return (node) => {
    if (node.kind === 'address') return `group:network:${networkOf(node.name)}`
    return node.kind === 'external' ? 'group:external' : `group:${keyOf(node)}`
  }
}

/**
 * Cuts a graph to a screen: groups where nodes do not fit (`places.ts`), the most used edges, and totals that say what was left out.
 */
export function groupGraph(
  graph: Graph,
  limit: number,
  expanded: ReadonlySet<string>,
  by: GroupBy = 'namespace',
  groupOf: GroupOf = byNamespace,
): Screen {
  const use = usage(graph)
  const used = graph.nodes.map((node) => ({ ...node, group: groupOf(node), use: use.get(node.id) ?? 0 }))
  const { nodes, open } = placeNodes(used, limit, expanded)
  const isOpen = new Set(open.map(({ id }) => id))
  const places = new Map(used.map(({ id, group }) => [id, isOpen.has(id) ? id : group]))
  const placeOf = (id: string) => places.get(id) ?? id
  const shown = new Set(nodes.map(({ id }) => id))
  const edges = foldEdges(graph.edges, placeOf)
    .filter((edge) => shown.has(edge.source) && shown.has(edge.destination))
    .sort(mostUsedFirst)
    .slice(0, EDGES_MAX)
  const unattributed = foldUnattributed(graph.unattributed, placeOf).filter((entry) => shown.has(entry.destination))
  return screenOf(
    { ...graph, nodes, edges, unattributed },
    { nodes: graph.nodes.length, edges: graph.edges.length },
    by,
  )
}

/** The totals that belong to what is shown. */
export function screenOf(graph: Graph, total: { nodes: number; edges: number }, by: GroupBy): Screen {
  const groups = graph.nodes.filter((node) => node.kind === 'group').map((node) => node.id)
  return {
    ...graph,
    grouping: {
      total_nodes: total.nodes,
      shown_nodes: graph.nodes.length,
      total_edges: total.edges,
      shown_edges: graph.edges.length,
      by: groups.length > 0 ? by : 'none',
      groups,
    },
  }
}

function usage(graph: Graph): Map<string, number> {
  const use = new Map<string, number>()
  const add = (id: string, count: number) => use.set(id, (use.get(id) ?? 0) + count)
  for (const { source, destination, requests, denied } of graph.edges) {
    add(source, requests + denied)
    add(destination, requests + denied)
  }
  for (const entry of graph.unattributed) add(entry.destination, entry.requests)
  return use
}

/** At a tie the ends decide, then the ports: an edge that is not folded is one of several of its pair. */
function mostUsedFirst(a: GraphEdge, b: GraphEdge): number {
  return (
    b.requests + b.denied - (a.requests + a.denied) ||
    byText(a.source, b.source) ||
    byText(a.destination, b.destination) ||
    a.service_port - b.service_port ||
    a.workload_port - b.workload_port ||
    byText(a.protocol, b.protocol)
  )
}

function foldEdges(edges: readonly GraphEdge[], placeOf: (id: string) => string): GraphEdge[] {
  const exact: GraphEdge[] = []
  const folded = new Map<string, Map<string, GraphEdge>>()
  for (const edge of edges) {
    const [source, destination] = [placeOf(edge.source), placeOf(edge.destination)]
    if (source === edge.source && destination === edge.destination) exact.push(edge)
    else if (source !== destination) {
      const from = folded.get(source) ?? new Map<string, GraphEdge>()
      folded.set(source, from)
      const known = from.get(destination)
      if (known) addEdge(known, edge)
      else from.set(destination, { ...edge, source, destination, service_port: 0, workload_port: 0, operations: [] })
    }
  }
  return [...exact, ...[...folded.values()].flatMap((from) => [...from.values()])]
}

/** Sums edges between groups: the weakest evidence is what can be said of all of them. */
function addEdge(known: GraphEdge, edge: GraphEdge): void {
  known.requests += edge.requests
  known.denied += edge.denied
  addUnnamed(known, edge.unnamed)
  if (known.protocol !== edge.protocol) known.protocol = 'unknown'
  if (EVIDENCE[edge.evidence] < EVIDENCE[known.evidence]) known.evidence = edge.evidence
  if (edge.mtls === 'no' || known.mtls === 'yes') known.mtls = edge.mtls
  if (edge.first_seen < known.first_seen) known.first_seen = edge.first_seen
  if (edge.last_seen > known.last_seen) known.last_seen = edge.last_seen
}

function foldUnattributed(entries: readonly Unattributed[], placeOf: (id: string) => string): Unattributed[] {
  const folded = new Map<string, Unattributed>()
  for (const { destination, reason, requests } of entries) {
    const place = placeOf(destination)
    const key = JSON.stringify([place, reason])
    const known = folded.get(key) ?? { destination: place, reason, requests: 0 }
    known.requests += requests
    if (place !== destination) known.destinations = (known.destinations ?? 0) + 1
    folded.set(key, known)
  }
  return [...folded.values()]
}
