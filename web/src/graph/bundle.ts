import { EVIDENCE, type Evidence } from '../../../services/model/evidence.ts'
import type { GraphEdge } from '../../../services/model/graph.ts'
import { linkKey } from './layered.ts'

/** All edges of one pair of nodes (a port or protocol each): drawn as one line, listed one by one in the table. */
export interface Bundle {
  key: string
  source: string
  destination: string
  edges: GraphEdge[]
  requests: number
  denied: number
  /** The weakest of its edges: a line never looks better known than the worst of what it stands for. */
  evidence: Evidence
}

/** Bundles in order of their key. */
export function bundles(edges: readonly GraphEdge[]): Bundle[] {
  const byKey = new Map<string, GraphEdge[]>()
  for (const edge of edges) {
    const key = linkKey(edge.source, edge.destination)
    byKey.set(key, [...(byKey.get(key) ?? []), edge])
  }
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, parts]) => bundle(key, parts))
}

function bundle(key: string, edges: GraphEdge[]): Bundle {
  const sum = (pick: (edge: GraphEdge) => number) => edges.reduce((total, edge) => total + pick(edge), 0)
  const weakest = edges.reduce<Evidence>(
    (least, { evidence }) => (EVIDENCE[evidence] < EVIDENCE[least] ? evidence : least),
    'verified',
  )
  const [source = '', destination = ''] = JSON.parse(key) as string[]
  return {
    key,
    source,
    destination,
    edges,
    requests: sum((e) => e.requests),
    denied: sum((e) => e.denied),
    evidence: weakest,
  }
}
