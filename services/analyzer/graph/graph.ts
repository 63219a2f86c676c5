import { EVIDENCE } from '../../model/evidence.ts'
import type { EdgeOperation, Graph, GraphEdge, GraphNode, Reason } from '../../model/graph.ts'
import { byText } from '../../model/order.ts'
import type { EdgeRow, OperationRow, Window } from '../../store/queries/rollups.ts'
import type { Call, Calls } from './calls.ts'

/** The graph of a window from its calls; operations only where the rows carry them. The same graph is always the same text. */
export function buildGraph(window: Window, calls: Calls<EdgeRow | OperationRow>): Graph {
  const { nodes, edges, unattributed } = foldCalls(window, calls)
  return {
    window,
    nodes: nodes.sort((a, b) => byText(a.id, b.id)),
    edges: edges.sort(
      (a, b) =>
        byText(a.source, b.source) ||
        byText(a.destination, b.destination) ||
        a.service_port - b.service_port ||
        a.workload_port - b.workload_port ||
        byText(a.protocol, b.protocol),
    ),
    unattributed: unattributed.toSorted((a, b) => byText(a.destination, b.destination) || byText(a.reason, b.reason)),
  }
}

/** The same unsorted, for who sorts or sums it anyway: at 60,000 edges sorting is half of the cost. */
export function foldCalls(window: Window, { calls, unattributed }: Calls<EdgeRow | OperationRow>): Graph {
  const nodes = new Map<string, Numbered>()
  // By a number for each pair: a map for each caller was a third of the cost of a graph of 60,000 edges.
  const byPair = new Map<number, Folded>()
  for (const call of calls) {
    const source = addNode(nodes, call.source, call.row.source_cluster)
    const pair = source * NODES_MAX + addNode(nodes, call.destination, call.row.cluster)
    const first = byPair.get(pair)
    let folded = first
    while (folded && !isOnOnePort(folded.edge, call.row)) folded = folded.next
    if (!folded) {
      folded = { edge: emptyEdge(call), operations: undefined, next: first }
      byPair.set(pair, folded)
    }
    addRow(folded.edge, call.row)
    if (call.unnamed) addUnnamed(folded.edge, Object.fromEntries(call.unnamed))
    if ('method' in call.row) {
      folded.operations ??= { byKey: new Map(), names: new Map() }
      addOperation(folded.operations, call.row)
    }
  }
  for (const { destination } of unattributed)
    if (!nodes.has(destination)) nodes.set(destination, { node: placeholder(destination), number: nodes.size })
  const edges: GraphEdge[] = []
  for (const first of byPair.values())
    for (let folded: Folded | undefined = first; folded; folded = folded.next) {
      const { edge, operations } = folded
      if (operations) edge.operations = [...operations.byKey.values()].sort(mostRequested)
      edges.push(edge)
    }
  return { window, nodes: [...nodes.values()].map(({ node }) => node), edges, unattributed }
}

/** More nodes than any graph has; of two numbers below it one is made that is exact. */
const NODES_MAX = 2 ** 26

/** A node while calls are added. */
interface Numbered {
  node: GraphNode
  number: number
}

/** An edge, and the pair's next one, on other ports. */
interface Folded {
  edge: GraphEdge
  operations: Operations | undefined
  next: Folded | undefined
}

/** Operations while rows are added, and the names that each stands for. */
interface Operations {
  byKey: Map<string, EdgeOperation>
  names: Map<EdgeOperation, Set<string>>
}

const isOnOnePort = (edge: GraphEdge, row: EdgeRow) =>
  edge.service_port === row.service_port && edge.workload_port === row.workload_port && edge.protocol === row.protocol

const mostRequested = (a: EdgeOperation, b: EdgeOperation) =>
  b.requests - a.requests || byText(a.path, b.path) || byText(a.method, b.method)

/** @returns the node's number, counted in the order in which nodes came */
function addNode(nodes: Map<string, Numbered>, node: GraphNode, cluster: string): number {
  const known = nodes.get(node.id)
  if (known) {
    addTold(known.node, node, cluster)
    return known.number
  }
  const number = nodes.size
  nodes.set(node.id, { node: { ...node, cluster }, number })
  return number
}

/** The same node may be known by its principal to one reporter and by its cluster to another. */
export function addTold(known: GraphNode, node: GraphNode, cluster: string): void {
  known.principal ||= node.principal
  // To one row it is the service that was asked for, to another the workload: whichever the store gives first.
  if (node.kind === 'workload') known.kind = 'workload'
  if (cluster === '' || cluster === known.cluster || known.cluster.split('+').includes(cluster)) return
  known.cluster = [...known.cluster.split('+'), cluster]
    .filter((name) => name !== '')
    .sort()
    .join('+')
}

function placeholder(id: string): GraphNode {
  const [namespace = '', name = id] = id.includes('/') ? id.split('/') : ['', id]
  return { id, kind: 'workload', name, namespace, workload: name, cluster: '', principal: '' }
}

function emptyEdge({ source, destination, row }: Call<EdgeRow>): GraphEdge {
  return {
    source: source.id,
    destination: destination.id,
    service_port: row.service_port,
    workload_port: row.workload_port,
    protocol: row.protocol,
    requests: 0,
    denied: 0,
    evidence: row.source_evidence,
    reporter: row.reporter,
    mtls: row.mtls,
    first_seen: row.first_seen,
    last_seen: row.last_seen,
    operations: [],
  }
}

function addRow(edge: GraphEdge, row: EdgeRow): void {
  edge.requests += row.requests
  edge.denied += row.denied
  if (EVIDENCE[row.source_evidence] > EVIDENCE[edge.evidence]) edge.evidence = row.source_evidence
  // One plaintext hop makes the edge one that is not always encrypted.
  if (row.mtls === 'no' || (edge.mtls === 'unknown' && row.mtls === 'yes')) edge.mtls = row.mtls
  if (row.first_seen < edge.first_seen) edge.first_seen = row.first_seen
  if (row.last_seen > edge.last_seen) edge.last_seen = row.last_seen
}

export function addUnnamed(edge: GraphEdge, unnamed: GraphEdge['unnamed'] = {}): void {
  for (const [reason, requests] of Object.entries(unnamed))
    edge.unnamed = { ...edge.unnamed, [reason]: (edge.unnamed?.[reason as Reason] ?? 0) + requests }
}

function addOperation({ byKey, names }: Operations, row: OperationRow): void {
  const key = JSON.stringify([row.method, row.shape])
  const operation = byKey.get(key) ?? { method: row.method, path: row.shape, requests: 0, denied: 0, not_found: 0 }
  operation.requests += row.requests
  operation.denied += row.denied
  operation.not_found += row.not_found ?? 0
  byKey.set(key, operation)
  if (row.folded_name === undefined) return
  const folded = (names.get(operation) ?? new Set()).add(row.folded_name)
  names.set(operation, folded)
  operation.names_folded = folded.size
}
