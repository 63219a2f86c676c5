import { REPORTER } from '../../model/evidence.ts'
import type { Graph, GraphNode } from '../../model/graph.ts'
import { byText } from '../../model/order.ts'
import type { EdgeRow } from '../../store/queries/rollups.ts'
import type { Call } from '../graph/calls.ts'
import { buildGraph } from '../graph/graph.ts'
import type { Parties } from '../graph/parties.ts'
import { calleeAliases, callerAliases } from './aliases.ts'

/**
 * Adds the edges that only request counters tell of: pairs that no access log, span or flow reported. They have counts and no
 * operations, and never become policies.
 *
 * Their evidence is `claimed` at most, also where the proxy verified a certificate and the counter says so. Istio's agent serves
 * the proxy's counters and the application's own metrics as one page, so an application can write `istio_requests_total` with
 * any principal; and the page is read without knowing who answers.
 */
export function addMetricEdges(graph: Graph, rows: readonly EdgeRow[], parties: Parties): Graph {
  const pairs = new Set(graph.edges.map((edge) => pairOf(edge.source, edge.destination)))
  const known = new Set(graph.nodes.map((node) => node.id))
  const calls: Call<EdgeRow>[] = []
  for (const row of rows) {
    const sources = callerAliases(row, parties)
    const destinations = calleeAliases(row, parties)
    const isKnown = sources.some((source) =>
      destinations.some((destination) => pairs.has(pairOf(source.id, destination.id))),
    )
    const source = bestOf(sources, known)
    const destination = bestOf(destinations, known)
    if (!isKnown && source && destination) calls.push({ row, source, destination })
  }
  const added = buildGraph(graph.window, { calls: nearest(calls), unattributed: [] })
  return {
    ...graph,
    nodes: [...graph.nodes, ...added.nodes.filter((node) => !known.has(node.id))].sort(byId),
    edges: [...graph.edges, ...added.edges.map((edge) => ({ ...edge, reporter: 'metric' }))].sort(byPair),
  }
}

const pairOf = (source: string, destination: string) => JSON.stringify([source, destination])

const bestOf = (aliases: GraphNode[], known: Set<string>) => aliases.find((node) => known.has(node.id)) ?? aliases[0]

/** Both proxies count a call: the callee's count is taken where there is one. */
function nearest(calls: Call<EdgeRow>[]): Call<EdgeRow>[] {
  const best = new Map<string, number>()
  const rank = ({ row }: Call<EdgeRow>) => REPORTER[row.reporter]
  for (const call of calls) {
    const pair = pairOf(call.source.id, call.destination.id)
    best.set(pair, Math.max(rank(call), best.get(pair) ?? 0))
  }
  return calls.filter((call) => rank(call) === best.get(pairOf(call.source.id, call.destination.id)))
}
const byId = (a: GraphNode, b: GraphNode) => byText(a.id, b.id)
const byPair = (a: Graph['edges'][number], b: Graph['edges'][number]) =>
  byText(a.source, b.source) ||
  byText(a.destination, b.destination) ||
  a.service_port - b.service_port ||
  a.workload_port - b.workload_port ||
  byText(a.protocol, b.protocol)
