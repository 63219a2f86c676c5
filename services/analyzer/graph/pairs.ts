import type { Observed, Pair } from './observed.ts'

/** A pair, and the edges that told of it. */
export interface ToldPair extends Pair {
  edges: string[]
}

/** Whom edges told of in some windows; who asks gets one object for each pair. */
export interface Pairs {
  /** Which pairs each edge told of, with all edges that did: of the pairs that any of some edges told of. */
  ofEdges(edges: ReadonlySet<string>): Map<string, ToldPair[]>
  /** The same of some pairs of node ids. */
  of(pairs: readonly Pair[]): Map<string, ToldPair[]>
}

/** Reads once what is asked for several times: pairs are numbers, for each of 60,000 edges tells of some in both windows. */
export function createPairs(sides: readonly Pick<Observed, 'ends'>[]): Pairs {
  const nodes = new Map<string, number>()
  const numberOf = (id: string) => {
    const known = nodes.get(id)
    if (known === undefined) nodes.set(id, nodes.size)
    return known ?? nodes.size - 1
  }
  const numbers = new Map<number, number>()
  const known: Pair[] = []
  const pairOf = (source: string, destination: string) => {
    const key = numberOf(source) * NODES_MAX + numberOf(destination)
    const number = numbers.get(key)
    if (number !== undefined) return number
    numbers.set(key, known.length)
    return known.push({ source, destination }) - 1
  }
  const edges: string[] = []
  const told: number[] = []
  for (const { ends } of sides)
    ends((edge, source, destination) => {
      edges.push(edge)
      told.push(pairOf(source, destination))
    })

  const toldOf = (asked: ReadonlySet<number>): Map<string, ToldPair[]> => {
    const pairs = known.map((pair, number): ToldPair | undefined =>
      asked.has(number) ? { ...pair, edges: [] } : undefined,
    )
    const byEdge = new Map<string, ToldPair[]>()
    for (let at = 0; at < told.length; at++) {
      const pair = pairs[told[at] ?? 0]
      if (!pair) continue
      const edge = edges[at] ?? ''
      const of = byEdge.get(edge)
      if (of?.includes(pair)) continue
      if (of) of.push(pair)
      else byEdge.set(edge, [pair])
      pair.edges.push(edge)
    }
    return byEdge
  }
  return {
    ofEdges: (some) => toldOf(new Set(told.filter((_, at) => some.has(edges[at] ?? '')))),
    of: (some) => toldOf(new Set(some.map(({ source, destination }) => pairOf(source, destination)))),
  }
}

/** More nodes than any graph has; of two numbers below it one is made that is exact. */
const NODES_MAX = 2 ** 26
