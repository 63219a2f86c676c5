export interface Link {
  source: string
  target: string
}

/**
 * How far to the right something stands: `deep` puts each callee behind its last caller, so that all calls run to the
 * right; `near` behind its first one, which takes fewer columns where calls form long chains or circles.
 */
export type Ranking = 'deep' | 'near'

/**
 * Columns of a drawing in which calls run from left to right: the rank of each id, 0 for the leftmost. No column is
 * taller than `rowsMax`. Depends on the set of ids and links only, never on their order.
 */
export function rank(
  ids: readonly string[],
  links: readonly Link[],
  ranking: Ranking,
  rowsMax: number,
): Map<string, number> {
  const graph = adjacency(ids, links)
  return fold(ranking === 'deep' ? deep(graph) : near(graph), rowsMax)
}

/** Links that close a cycle are taken backwards. */
function deep(graph: Adjacency): Map<string, number> {
  const sequence = callersFirst(graph)
  const position = new Map(sequence.map((id, index) => [id, index]))
  const forward = new Map(sequence.map((id) => [id, new Set<string>()]))
  for (const [source, targets] of graph.out) {
    for (const target of targets) {
      const ahead = (position.get(source) ?? 0) < (position.get(target) ?? 0)
      forward.get(ahead ? source : target)?.add(ahead ? target : source)
    }
  }
  return tighten(sequence, forward, longestPath(sequence, forward))
}

/** Steps from the nearest caller that nobody calls; where a cycle has none, from whoever the greedy order puts first. */
function near(graph: Adjacency): Map<string, number> {
  const ranks = new Map<string, number>()
  const sequence = callersFirst(graph)
  const roots = sequence.filter((id) => graph.in.get(id)?.size === 0)
  for (const start of [roots, ...sequence.map((id) => [id])]) {
    let front = start.filter((id) => !ranks.has(id))
    for (let step = 0; front.length > 0; step += 1) {
      for (const id of front) ranks.set(id, step)
      front = [...new Set(front.flatMap((id) => [...(graph.out.get(id) ?? [])]))].filter((id) => !ranks.has(id))
    }
  }
  return ranks
}

interface Adjacency {
  out: Map<string, Set<string>>
  in: Map<string, Set<string>>
}

function adjacency(ids: readonly string[], links: readonly Link[]): Adjacency {
  const sorted = [...ids].sort()
  const graph: Adjacency = {
    out: new Map(sorted.map((id) => [id, new Set()])),
    in: new Map(sorted.map((id) => [id, new Set()])),
  }
  for (const { source, target } of links) {
    if (source === target) continue
    graph.out.get(source)?.add(target)
    graph.in.get(target)?.add(source)
  }
  return graph
}

/**
 * An order of all ids with few links against it, by the greedy heuristic of Eades, Lin and Smyth (1993): sinks go to
 * the end, sources to the front, and where only cycles are left, whoever calls most and is called least goes first.
 */
function callersFirst(graph: Adjacency): string[] {
  const left = new Set(graph.out.keys())
  const degree = (links: Map<string, Set<string>>, id: string) => {
    let sum = 0
    for (const other of links.get(id) ?? []) if (left.has(other)) sum += 1
    return sum
  }
  const front: string[] = []
  const back: string[] = []
  while (left.size > 0) {
    const open = [...left]
    const sink = open.find((id) => degree(graph.out, id) === 0)
    const source = sink === undefined ? open.find((id) => degree(graph.in, id) === 0) : undefined
    const surplus = (id: string) => degree(graph.out, id) - degree(graph.in, id)
    const next = sink ?? source ?? open.reduce((best, id) => (surplus(id) > surplus(best) ? id : best))
    if (sink === undefined) front.push(next)
    else back.push(next)
    left.delete(next)
  }
  return [...front, ...back.reverse()]
}

function longestPath(sequence: string[], forward: Map<string, Set<string>>): Map<string, number> {
  const ranks = new Map(sequence.map((id) => [id, 0]))
  for (const id of sequence) {
    const next = (ranks.get(id) ?? 0) + 1
    for (const target of forward.get(id) ?? []) ranks.set(target, Math.max(ranks.get(target) ?? 0, next))
  }
  return ranks
}

/** Moves callers that nobody calls next to what they call: a batch job that calls a deep service stands beside it. */
function tighten(
  sequence: string[],
  forward: Map<string, Set<string>>,
  ranks: Map<string, number>,
): Map<string, number> {
  const called = new Set([...forward.values()].flatMap((targets) => [...targets]))
  for (const id of sequence) {
    const targets = [...(forward.get(id) ?? [])]
    if (called.has(id) || targets.length === 0) continue
    ranks.set(id, Math.min(...targets.map((target) => ranks.get(target) ?? 0)) - 1)
  }
  return ranks
}

/** Splits columns that are too tall into neighbours. Nothing in a column calls anything else in it, so links still run forward. */
function fold(ranks: Map<string, number>, rowsMax: number): Map<string, number> {
  const columns = new Map<number, string[]>()
  for (const [id, value] of ranks) columns.set(value, [...(columns.get(value) ?? []), id])
  const folded = new Map<string, number>()
  let offset = 0
  for (const value of [...columns.keys()].sort((a, b) => a - b)) {
    const column = (columns.get(value) ?? []).sort()
    const parts = Math.max(1, Math.ceil(column.length / rowsMax))
    const rows = Math.ceil(column.length / parts)
    column.forEach((id, index) => {
      folded.set(id, offset + Math.floor(index / rows))
    })
    offset += parts
  }
  return folded
}
