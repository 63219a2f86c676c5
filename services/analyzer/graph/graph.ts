import { EVIDENCE } from '../../model/evidence.ts'
import type { EdgeOperation, Graph, GraphEdge, GraphNode, Reason } from '../../model/graph.ts'
import type { EdgeRow, OperationRow, Window } from '../../store/queries/rollups.ts'
import type { Call, Calls } from './calls.ts'

/** An edge while its rows are added; `folded`: the names that an operation stands for. */
interface Known {
  edge: GraphEdge
  operations: Map<string, EdgeOperation>
  folded: Map<EdgeOperation, Set<string>>
}

/** The graph of a window from its calls; operations only where the rows carry them. */
export function buildGraph(window: Window, { calls, unattributed }: Calls<EdgeRow | OperationRow>): Graph {
  const nodes = new Map<string, GraphNode>()
  const edges = new Map<string, Known>()
  for (const call of calls) {
    addNode(nodes, call.source, call.row.source_cluster)
    addNode(nodes, call.destination, call.row.cluster)
    const key = JSON.stringify([
      call.source.id,
      call.destination.id,
      call.row.service_port,
      call.row.workload_port,
      call.row.protocol,
    ])
    const known: Known = edges.get(key) ?? { edge: emptyEdge(call), operations: new Map(), folded: new Map() }
    edges.set(key, known)
    addRow(known.edge, call.row)
    if (call.unnamed) addUnnamed(known.edge, Object.fromEntries(call.unnamed))
    if ('method' in call.row) addOperation(known, call.row)
  }
  for (const { destination } of unattributed) {
    if (!nodes.has(destination)) nodes.set(destination, placeholder(destination))
  }
  return {
    window,
    nodes: [...nodes.values()].sort(by((node) => [node.id])),
    edges: [...edges.values()]
      .map(({ edge, operations }) => ({ ...edge, operations: [...operations.values()].sort(mostRequested) }))
      .sort(by((edge) => [edge.source, edge.destination, edge.service_port, edge.workload_port, edge.protocol])),
    unattributed: unattributed.toSorted(by((entry) => [entry.destination, entry.reason])),
  }
}

/** The store gives rows in any order; the same graph is always the same text. */
function by<T>(keyOf: (entry: T) => (string | number)[]): (a: T, b: T) => number {
  return (a, b) => {
    const keys = keyOf(b)
    for (const [index, left] of keyOf(a).entries()) {
      const right = keys[index] ?? ''
      if (left !== right) return left < right ? -1 : 1
    }
    return 0
  }
}

const mostRequested = (a: EdgeOperation, b: EdgeOperation) =>
  b.requests - a.requests || by<EdgeOperation>((operation) => [operation.path, operation.method])(a, b)

/** The same node may be known by its principal to one reporter and by its cluster to another. */
function addNode(nodes: Map<string, GraphNode>, node: GraphNode, cluster: string): void {
  const known = nodes.get(node.id)
  if (!known) {
    nodes.set(node.id, { ...node, cluster })
    return
  }
  known.principal ||= node.principal
  // To one row it is the service that was asked for, to another the workload: whichever the store gives first.
  if (node.kind === 'workload') known.kind = 'workload'
  if (cluster !== '' && !known.cluster.split('+').includes(cluster))
    known.cluster = known.cluster === '' ? cluster : `${known.cluster}+${cluster}`
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

function addOperation({ operations, folded }: Known, row: OperationRow): void {
  const key = JSON.stringify([row.method, row.shape])
  const operation = operations.get(key) ?? { method: row.method, path: row.shape, requests: 0, denied: 0, not_found: 0 }
  operation.requests += row.requests
  operation.denied += row.denied
  operation.not_found += row.not_found ?? 0
  operations.set(key, operation)
  if (row.folded_name === undefined) return
  const names = (folded.get(operation) ?? new Set()).add(row.folded_name)
  folded.set(operation, names)
  operation.names_folded = names.size
}
