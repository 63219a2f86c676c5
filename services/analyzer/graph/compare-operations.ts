import type { OperationChange } from '../../model/comparison.ts'
import { CHANGED_OPERATIONS_MAX, type OperationPresence, operationsOf } from '../../store/queries/compare.ts'
import type { Window } from '../../store/queries/rollups.ts'
import type { Store } from '../../store/store.ts'
import { mostFirst } from './compare.ts'
import type { Pair } from './observed.ts'

/** Edges of one statement, which binds their ids and the paths that are asked of them. */
const EDGES_AT_ONCE = 1_000

export type OperationColumns = { [Column in keyof OperationPresence]: OperationPresence[Column][] }

/**
 * Operations that one of two windows has and the other has not, whoever told of them: presence, apart from rates. An operation that one
 * edge of a pair lacks may be on another, told by another reporter or on another port; where that is not known yet, it is asked.
 * @param candidates operations that an edge has in one of the windows only
 * @param ends of whom each edge told, in both windows
 */
export async function changedOperations(
  store: Store,
  window: Window,
  earlier: Window,
  ends: readonly Map<string, Pair[]>[],
  candidates: OperationColumns,
): Promise<{ changed: OperationChange[]; isCut: boolean }> {
  const pairs = pairsOfEdges(ends)
  const edgesOf = edgesOfPairs(pairs)
  const sums = new Map<string, OperationChange>()
  const added = new Set<string>()
  add(sums, added, candidates, pairs)
  const asked = missing(candidates, pairs, edgesOf, added)
  for (let from = 0; from < asked.length; from += EDGES_AT_ONCE) {
    const some = asked.slice(from, from + EDGES_AT_ONCE)
    const [edges, paths] = [some.map(([edge]) => edge), new Set(some.flatMap(([, of]) => [...of]))]
    const found = await operationsOf(store.reads, window, earlier, { edges, paths: [...paths] })
    add(sums, added, found, pairs, true)
  }
  const changed = [...sums.values()].flatMap((sum): OperationChange[] => {
    if (sum.requests > 0 && sum.requests_before > 0) return []
    return [{ ...sum, change: sum.requests > 0 ? 'new' : 'gone' }]
  })
  return { changed: changed.sort(mostFirst), isCut: candidates.edge.length >= CHANGED_OPERATIONS_MAX }
}

/** Whom an edge told of in either window. */
function pairsOfEdges(ends: readonly Map<string, Pair[]>[]): Map<string, Pair[]> {
  const pairs = new Map<string, Pair[]>()
  for (const told of ends)
    for (const [edge, some] of told) {
      const known = pairs.get(edge) ?? []
      const isKnown = (pair: Pair) =>
        known.some(({ source, destination }) => source === pair.source && destination === pair.destination)
      pairs.set(edge, known.length === 0 ? some : [...known, ...some.filter((pair) => !isKnown(pair))])
    }
  return pairs
}

const pairKey = ({ source, destination }: Pair) => JSON.stringify([source, destination])

function edgesOfPairs(pairs: ReadonlyMap<string, Pair[]>): Map<string, string[]> {
  const edges = new Map<string, string[]>()
  for (const [edge, some] of pairs)
    for (const key of some.map(pairKey)) {
      const known = edges.get(key)
      if (known) known.push(edge)
      else edges.set(key, [edge])
    }
  return edges
}

const operationOf = (columns: OperationColumns, index: number) =>
  JSON.stringify([columns.method[index], columns.path[index]])

/** Adds each edge's operations once; with `isKnownOnly` to those that are there. */
function add(
  sums: Map<string, OperationChange>,
  added: Set<string>,
  columns: OperationColumns,
  pairs: ReadonlyMap<string, Pair[]>,
  isKnownOnly = false,
): void {
  for (const [index, edge] of columns.edge.entries()) {
    const operation = operationOf(columns, index)
    if (added.has(`${edge} ${operation}`)) continue
    added.add(`${edge} ${operation}`)
    for (const pair of pairs.get(edge) ?? []) {
      const key = `${pairKey(pair)} ${operation}`
      const known = sums.get(key)
      const [requests = 0, requests_before = 0] = [columns.requests[index], columns.requests_before[index]]
      if (known) {
        known.requests += requests
        known.requests_before += requests_before
      } else if (!isKnownOnly) {
        const { [index]: method = '' } = columns.method
        const { [index]: path = '' } = columns.path
        sums.set(key, { ...pair, method, path, change: 'changed', requests, requests_before })
      }
    }
  }
}

/** Other edges of the same pairs that did not tell of an operation, and the paths that are asked of each. */
function missing(
  candidates: OperationColumns,
  pairs: ReadonlyMap<string, Pair[]>,
  edgesOf: ReadonlyMap<string, string[]>,
  added: ReadonlySet<string>,
): [string, Set<string>][] {
  const asked = new Map<string, Set<string>>()
  for (const [index, edge] of candidates.edge.entries()) {
    const others = (pairs.get(edge) ?? []).flatMap((pair) => edgesOf.get(pairKey(pair)) ?? [])
    if (others.length < 2) continue
    const operation = operationOf(candidates, index)
    for (const other of others) {
      if (added.has(`${other} ${operation}`)) continue
      asked.set(other, (asked.get(other) ?? new Set()).add(candidates.path[index] ?? ''))
    }
  }
  return [...asked]
}
