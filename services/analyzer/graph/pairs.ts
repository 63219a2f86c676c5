import type { Observed, Pair } from './observed.ts'

/** A pair, and the edges that told of it. */
export interface ToldPair extends Pair {
  edges: string[]
}

/** Pairs that are asked about, one object each. */
export interface Pairs {
  /** The pair of two nodes, by their ids; the same one each time. */
  add(source: string, destination: string): ToldPair
  /** Which of the pairs each edge told of. */
  told(sides: readonly Pick<Observed, 'ends'>[]): Map<string, ToldPair[]>
}

export function createPairs(): Pairs {
  const known = new Map<string, Map<string, ToldPair>>()
  return {
    add: (source, destination) => {
      const callees = known.get(source)
      const pair = callees?.get(destination) ?? { source, destination, edges: [] }
      if (callees) callees.set(destination, pair)
      else known.set(source, new Map([[destination, pair]]))
      return pair
    },
    told: (sides) => {
      const pairs = new Map<string, ToldPair[]>()
      for (const { ends } of sides)
        ends((edge, source, destination) => {
          const pair = known.get(source)?.get(destination)
          const of = pairs.get(edge)
          if (!pair || of?.includes(pair)) return
          if (of) of.push(pair)
          else pairs.set(edge, [pair])
          pair.edges.push(edge)
        })
      return pairs
    },
  }
}
