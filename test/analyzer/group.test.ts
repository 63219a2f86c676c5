import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { groupGraph } from '../../services/analyzer/graph/group.ts'
import { EDGES_MAX, NODES_MAX } from '../../services/analyzer/graph/places.ts'
import type { Graph, GraphEdge, GraphNode } from '../../services/model/graph.ts'

function nodeOf(namespace: string, name: string, cluster = ''): GraphNode {
  const id = `${namespace}/${name}`
  return { id, kind: 'workload', name, namespace, workload: name, cluster, principal: '' }
}

function edgeOf(source: string, destination: string, requests: number, denied = 0): GraphEdge {
  const seen = { first_seen: '2026-01-01T00:00:00Z', last_seen: '2026-01-01T00:00:00Z' }
  const ports = { service_port: 80, workload_port: 8080, protocol: 'http' }
  const told = { evidence: 'verified' as const, reporter: 'destination', mtls: 'yes' as const }
  return { source, destination, ...ports, requests, denied, ...told, ...seen, operations: [] }
}

function graphOf(nodes: GraphNode[], edges: GraphEdge[]): Graph {
  return { window: { since: '', until: '' }, nodes, edges, unattributed: [] }
}

/** 2,000 nodes in `namespaces`, each calling its next and one far away. */
function large(namespaces: number, size = 2000): Graph {
  const nodes = Array.from({ length: size }, (_, n) => nodeOf(`ns${String(n % namespaces).padStart(3, '0')}`, `w${n}`))
  const id = (n: number) => nodes[n % size]?.id ?? ''
  const edges = nodes.flatMap((node, n) => [
    edgeOf(node.id, id(n + 1), n + 1, n % 3),
    edgeOf(node.id, id(n * 7 + 13), 5),
  ])
  return graphOf(nodes, edges)
}

const total = (edges: GraphEdge[]) => edges.reduce((sum, edge) => sum + edge.requests + edge.denied, 0)

describe('a graph that is too large for a screen', () => {
  test.each([1, 2, 40, 150, 151, 400, 2000])(
    'in %i namespaces stays within the limits, and the totals are true',
    (namespaces) => {
      const graph = large(namespaces)
      const { nodes, edges, grouping } = groupGraph(graph, NODES_MAX, new Set())
      expect(nodes.length).toBeGreaterThan(1)
      expect(nodes.length).toBeLessThanOrEqual(NODES_MAX)
      expect(edges.length).toBeLessThanOrEqual(EDGES_MAX)
      expect(grouping).toMatchObject({
        total_nodes: 2000,
        total_edges: graph.edges.length,
        shown_nodes: nodes.length,
        shown_edges: edges.length,
      })
      const ids = new Set(nodes.map((node) => node.id))
      expect(ids.size).toBe(nodes.length)
      expect(edges.every((edge) => ids.has(edge.source) && ids.has(edge.destination))).toBe(true)
      const groups = nodes.filter((node) => node.kind === 'group')
      expect(grouping.groups).toEqual(groups.map((node) => node.id))
    },
  )

  test('every node is in a group: their members add up', () => {
    const { nodes } = groupGraph(large(40), NODES_MAX, new Set())
    expect(nodes).toHaveLength(40)
    expect(nodes.reduce((sum, node) => sum + (node.members ?? 1), 0)).toBe(2000)
  })

  test('a group opens in place while it fits', () => {
    const graph = large(40)
    const { nodes, grouping } = groupGraph(graph, NODES_MAX, new Set(['group:/ns003']))
    expect(grouping.groups).toHaveLength(39)
    expect(grouping.groups).not.toContain('group:/ns003')
    expect(nodes.filter((node) => node.namespace === 'ns003' && node.kind === 'workload')).toHaveLength(50)
    const both = groupGraph(
      graph,
      NODES_MAX,
      new Set(['group:/ns003', 'group:/ns004', 'group:/ns005', 'group:/nothing']),
    )
    expect(both.nodes).toHaveLength(NODES_MAX)
    expect(both.grouping.groups).not.toContain('group:/ns004')
    // The third has no room as a whole: its most used members, and the group for the others.
    const left = both.nodes.find((node) => node.id === 'group:/ns005')
    const shown = both.nodes.filter((node) => node.namespace === 'ns005' && node.kind === 'workload')
    expect(shown).toHaveLength(150 - 40 - 49 - 49)
    expect(left?.members).toBe(50 - shown.length)
  })

  test('one namespace that is larger than a screen shows its most used members', () => {
    const { nodes, grouping } = groupGraph(large(1), NODES_MAX, new Set())
    expect(grouping.groups).toEqual(['group:/ns000'])
    expect(nodes).toHaveLength(NODES_MAX)
    expect(nodes.map((node) => node.id)).toContain('ns000/w1999')
  })

  test('a small one is left as it is, but for edges beyond the limit, of which the most used stay', () => {
    const nodes = Array.from({ length: 30 }, (_, n) => nodeOf('shop', `w${n}`))
    const edges = nodes.flatMap((from, a) => nodes.map((to, b) => edgeOf(from.id, to.id, a * 30 + b)))
    const cut = groupGraph(graphOf(nodes, edges), NODES_MAX, new Set())
    expect(cut.nodes).toEqual(nodes)
    expect(cut.edges.map((edge) => edge.requests)).toEqual(Array.from({ length: EDGES_MAX }, (_, n) => 899 - n))
    expect(cut.grouping).toMatchObject({ by: 'none', total_edges: 900, shown_edges: 300 })
  })
})

test('requests between shown groups are the sum over their members', () => {
  const shape = fc.record({
    namespaces: fc.integer({ min: 1, max: 8 }),
    nodes: fc.integer({ min: 2, max: 60 }),
    limit: fc.integer({ min: 1, max: 40 }),
    calls: fc.array(fc.tuple(fc.nat(59), fc.nat(59), fc.nat(1000), fc.nat(5), fc.constantFrom(80, 81)), {
      maxLength: 120,
    }),
    expanded: fc.uniqueArray(fc.nat(7), { maxLength: 3 }),
  })
  fc.assert(
    fc.property(shape, ({ namespaces, nodes: size, limit, calls, expanded }) => {
      const nodes = Array.from({ length: size }, (_, n) => nodeOf(`ns${n % namespaces}`, `w${n}`))
      const known = new Map<string, GraphEdge>()
      for (const [from, to, requests, denied, port] of calls) {
        const edge = {
          ...edgeOf(nodes[from % size]?.id ?? '', nodes[to % size]?.id ?? '', requests, denied),
          service_port: port,
        }
        known.set(JSON.stringify([edge.source, edge.destination, port]), edge)
      }
      const graph = graphOf(nodes, [...known.values()])
      const grouped = groupGraph(graph, limit, new Set(expanded.map((n) => `group:/ns${n}`)))
      expect(grouped.nodes.length).toBeLessThanOrEqual(limit)
      // Where each node went: to itself where it is shown, else to its namespace's group, else nowhere.
      const shown = new Set(grouped.nodes.map((node) => node.id))
      const place = new Map(nodes.map((node) => [node.id, shown.has(node.id) ? node.id : `group:/${node.namespace}`]))
      const sums = new Map<string, number>()
      for (const edge of graph.edges) {
        const [source = '', destination = ''] = [place.get(edge.source), place.get(edge.destination)]
        const within = source === destination && source.startsWith('group:')
        if (within || !shown.has(source) || !shown.has(destination)) continue
        const key = `${source} ${destination}`
        sums.set(key, (sums.get(key) ?? 0) + edge.requests + edge.denied)
      }
      const found = new Map<string, number>()
      for (const edge of grouped.edges) {
        const key = `${edge.source} ${edge.destination}`
        found.set(key, (found.get(key) ?? 0) + edge.requests + edge.denied)
      }
      expect(found).toEqual(sums)
      expect(total(grouped.edges)).toBeLessThanOrEqual(total(graph.edges))
    }),
    { numRuns: 500, seed: 11 },
  )
})
