import type { Evidence } from '../../services/model/evidence.ts'
import type { Graph, GraphEdge, GraphNode } from '../../services/model/graph.ts'

/** A made-up platform of any size, the same for the same size: what the fixture server answers from. */
export interface Platform {
  nodes: GraphNode[]
  edges: GraphEdge[]
}

const NAMESPACES = [
  'shop',
  'payments',
  'identity',
  'data',
  'batch',
  'observability',
  'search',
  'mail',
  'edge',
  'ml',
  'partner',
  'legacy',
]
const ROLES = [
  'api',
  'web',
  'worker',
  'store',
  'cache',
  'gateway',
  'notifier',
  'ledger',
  'catalogue-index-rebuilder',
  'sync',
  'audit',
  'quota',
]
const STRENGTHS: Evidence[] = ['verified', 'verified', 'verified', 'joined', 'joined', 'address', 'claimed', 'none']

/** Seeded and small (mulberry32), since Math.random gives another platform each time. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function workload(index: number, namespaces: number): GraphNode {
  const namespace = NAMESPACES[index % namespaces]!
  const copy = Math.floor(index / (namespaces * ROLES.length))
  const name = `${ROLES[Math.floor(index / namespaces) % ROLES.length]}${copy === 0 ? '' : `-${copy + 1}`}`
  const principal = `cluster.local/ns/${namespace}/sa/${name}`
  return {
    id: `east/${namespace}/${name}`,
    kind: 'workload',
    name,
    namespace,
    workload: name,
    cluster: 'east',
    principal,
  }
}

function foreign(kind: 'external' | 'address', name: string): GraphNode {
  return { id: `${kind}:${name}`, kind, name, namespace: '', workload: '', cluster: '', principal: '' }
}

/** `size` workloads in up to twelve namespaces, with callers ahead of callees, a few cycles and two outsiders. */
export function platform(size: number): Platform {
  const next = random(size)
  const spread = Math.min(NAMESPACES.length, Math.max(3, Math.round(size / 12)))
  const inside = Array.from({ length: size }, (_, index) => workload(index, spread))
  const nodes = [...inside, foreign('external', 'api.bank.example'), foreign('address', '10.20.30.40')]
  const pairs = new Map<string, GraphEdge>()
  const add = (source: GraphNode, destination: GraphNode, edge: Partial<GraphEdge>) =>
    pairs.set(`${source.id} ${destination.id}`, { ...call(source.id, destination.id, next), ...edge })
  for (let index = 1; index < size; index += 1) {
    add(inside[caller(index, spread, next)]!, inside[index]!, {})
    if (next() < 0.5) add(inside[caller(index, spread, next)]!, inside[index]!, {})
  }
  add(inside[size - 1]!, inside[1]!, { evidence: 'claimed' })
  add(inside[2]!, nodes[size]!, { evidence: 'verified', service_port: 443 })
  add(nodes[size + 1]!, inside[3]!, { evidence: 'none', denied: 412, requests: 3, mtls: 'no' })
  return { nodes, edges: [...pairs.values()] }
}

/** Mostly somebody of the same namespace, else one of the front doors of the namespaces before it. */
function caller(index: number, spread: number, next: () => number): number {
  const neighbours = Math.floor(index / spread)
  if (neighbours > 0 && next() < 0.75) return (index % spread) + spread * Math.floor(next() ** 2 * neighbours)
  return Math.floor(next() * Math.min(index, Math.max(1, (index % spread) + 1)))
}

function call(source: string, destination: string, next: () => number): GraphEdge {
  return {
    source,
    destination,
    service_port: 80,
    workload_port: 8080,
    protocol: next() < 0.2 ? 'grpc' : 'http',
    requests: Math.round(10 ** (1 + 5 * next())),
    denied: next() < 0.08 ? Math.ceil(next() * 90) : 0,
    evidence: STRENGTHS[Math.floor(next() * STRENGTHS.length)]!,
    reporter: 'destination',
    mtls: 'yes',
    first_seen: '2026-01-05T06:00:00Z',
    last_seen: '2026-01-31T23:58:00Z',
    operations: [],
  }
}

export interface Grouping {
  total_nodes: number
  shown_nodes: number
  total_edges: number
  shown_edges: number
  by: 'none' | 'namespace'
  groups: string[]
}

/** The platform with each namespace that is not expanded drawn together, as the server does above `limit` nodes. */
export function grouped({ nodes, edges }: Platform, limit: number, expand: string[]): Graph & { grouping: Grouping } {
  const by = nodes.length > limit ? 'namespace' : 'none'
  const groupOf = (node: GraphNode) => `group:${node.cluster}/${node.namespace}`
  const hidden = (node: GraphNode) => by === 'namespace' && node.namespace !== '' && !expand.includes(groupOf(node))
  const home = new Map(nodes.map((node) => [node.id, hidden(node) ? groupOf(node) : node.id]))
  const shown = new Map<string, GraphNode>()
  for (const node of nodes) shown.set(home.get(node.id)!, hidden(node) ? group(node, shown.get(groupOf(node))) : node)
  const sums = new Map<string, GraphEdge>()
  for (const edge of edges) {
    const [source, destination] = [home.get(edge.source)!, home.get(edge.destination)!]
    const key = `${source} ${destination}`
    const sum = sums.get(key)
    const requests = edge.requests + (sum?.requests ?? 0)
    const denied = edge.denied + (sum?.denied ?? 0)
    sums.set(key, { ...(sum ?? edge), source, destination, requests, denied })
  }
  const window = { since: '2026-01-05T00:00:00Z', until: '2026-02-01T00:00:00Z' }
  const grouping: Grouping = {
    total_nodes: nodes.length,
    shown_nodes: shown.size,
    total_edges: edges.length,
    shown_edges: sums.size,
    by,
    groups: by === 'none' ? [] : [...new Set(nodes.filter((node) => node.namespace !== '').map(groupOf))],
  }
  return { window, nodes: [...shown.values()], edges: [...sums.values()], unattributed: [], grouping }
}

function group(node: GraphNode, before: GraphNode | undefined): GraphNode {
  const { cluster, namespace } = node
  const members = (before?.members ?? 0) + 1
  return {
    id: `group:${cluster}/${namespace}`,
    kind: 'group',
    name: namespace,
    namespace,
    workload: '',
    cluster,
    principal: '',
    members,
  }
}
