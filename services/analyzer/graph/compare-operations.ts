import type { Change, OperationChange } from '../../model/comparison.ts'
import {
  CHANGED_OPERATIONS_MAX,
  type OperationPresence,
  operationsOf,
  presencesOf,
} from '../../store/queries/compare.ts'
import type { Window } from '../../store/queries/rollups.ts'
import type { Store } from '../../store/store.ts'
import { mostFirst, type Totals, totalsOf } from './compare.ts'
import type { Pair } from './observed.ts'

/** Edges of one statement, which binds their ids and the operations that are asked of them. */
const EDGES_AT_ONCE = 1_000
/** Changed operations that are listed; the totals count all. */
const OPERATIONS_MAX = 500

export type OperationColumns = { [Column in keyof OperationPresence]: OperationPresence[Column][] }

/** A pair and an operation, by its hash; requests are at least as many as the windows have. */
interface Sum {
  pair: KnownPair
  operation: string
  requests: number
  requests_before: number
}

interface KnownPair extends Pair {
  edges: string[]
  /** By the operation's hash. */
  sums: Map<string, Sum>
}

/**
 * Operations that one of two windows has and the other has not, whoever told of them: presence, apart from rates. An operation that one
 * edge of a pair lacks may be on another, told by another reporter or on another port; where that is not known yet, it is asked. What is
 * compared are hashes; texts and requests are looked up for what is listed, which are those used most by the week.
 * @param candidates operations that an edge has in one of the windows only
 * @param ends of whom each edge told, in both windows
 */
export async function changedOperations(
  store: Store,
  window: Window,
  earlier: Window,
  ends: readonly Map<string, Pair[]>[],
  candidates: OperationColumns,
): Promise<{ listed: OperationChange[]; totals: Totals; isCut: boolean }> {
  const pairs = pairsOfEdges(ends)
  const added = new Map<string, Set<string>>()
  const sums: Sum[] = []
  add(sums, added, candidates, pairs)
  const asked = missing(candidates, pairs, added)
  for (let from = 0; from < asked.length; from += EDGES_AT_ONCE) {
    const some = asked.slice(from, from + EDGES_AT_ONCE)
    const [edges, operations] = [some.map(([edge]) => edge), [...new Set(some.flatMap(([, of]) => [...of]))]]
    add(undefined, added, await presencesOf(store.reads, window, earlier, { edges, operations }), pairs)
  }
  const changed = sums.flatMap((sum): (Sum & Pair & { change: Change })[] => {
    if (sum.requests > 0 && sum.requests_before > 0) return []
    const { source, destination } = sum.pair
    return [{ ...sum, source, destination, change: sum.requests > 0 ? 'new' : 'gone' }]
  })
  const most = changed.sort(mostFirst).slice(0, OPERATIONS_MAX)
  return {
    listed: await listed(store, window, earlier, most),
    totals: totalsOf(changed),
    isCut: candidates.edge.length >= CHANGED_OPERATIONS_MAX,
  }
}

/** Whom an edge told of in either window; a pair is one object, however many edges told of it. */
function pairsOfEdges(ends: readonly Map<string, Pair[]>[]): Map<string, KnownPair[]> {
  const known = new Map<string, Map<string, KnownPair>>()
  const pairOf = ({ source, destination }: Pair) => {
    const callees = known.get(source) ?? new Map<string, KnownPair>()
    if (callees.size === 0) known.set(source, callees)
    const pair: KnownPair = callees.get(destination) ?? { source, destination, edges: [], sums: new Map() }
    callees.set(destination, pair)
    return pair
  }
  const pairs = new Map<string, KnownPair[]>()
  for (const told of ends)
    for (const [edge, some] of told)
      for (const pair of some.map(pairOf)) {
        const of = pairs.get(edge)
        if (of?.includes(pair)) continue
        if (of) of.push(pair)
        else pairs.set(edge, [pair])
        pair.edges.push(edge)
      }
  return pairs
}

/** Adds each edge's operations once; without `sums` to those that are there. */
function add(
  sums: Sum[] | undefined,
  added: Map<string, Set<string>>,
  columns: OperationColumns,
  pairs: ReadonlyMap<string, KnownPair[]>,
): void {
  for (const [index, edge] of columns.edge.entries()) {
    const { [index]: operation = '' } = columns.operation
    const of = added.get(edge) ?? new Set<string>()
    if (of.has(operation)) continue
    added.set(edge, of.add(operation))
    const [requests = 0, requests_before = 0] = [columns.requests[index], columns.requests_before[index]]
    for (const pair of pairs.get(edge) ?? []) {
      const known = pair.sums.get(operation)
      if (known) {
        known.requests += requests
        known.requests_before += requests_before
      } else if (sums) {
        const sum = { pair, operation, requests, requests_before }
        pair.sums.set(operation, sum)
        sums.push(sum)
      }
    }
  }
}

/** Other edges of the same pairs that did not tell of an operation, and the operations that are asked of each. */
function missing(
  candidates: OperationColumns,
  pairs: ReadonlyMap<string, KnownPair[]>,
  added: ReadonlyMap<string, Set<string>>,
): [string, Set<string>][] {
  const asked = new Map<string, Set<string>>()
  for (const [index, edge] of candidates.edge.entries()) {
    const { [index]: operation = '' } = candidates.operation
    for (const { edges } of pairs.get(edge) ?? [])
      for (const other of edges)
        if (other !== edge && !added.get(other)?.has(operation))
          asked.set(other, (asked.get(other) ?? new Set()).add(operation))
  }
  return [...asked]
}

/** With texts, and with the requests of the windows themselves. */
async function listed(
  store: Store,
  window: Window,
  earlier: Window,
  most: readonly (Sum & { change: Change })[],
): Promise<OperationChange[]> {
  const changes = most.map(({ pair, operation, change }) => {
    const { source, destination } = pair
    return {
      pair,
      operation,
      told: { source, destination, method: '', path: '', change, requests: 0, requests_before: 0 },
    }
  })
  const keyOf = (edge: string, operation: string) => `${edge} ${operation}`
  const asked = new Map<string, OperationChange[]>()
  for (const { pair, operation, told } of changes)
    for (const key of pair.edges.map((edge) => keyOf(edge, operation)))
      asked.set(key, [...(asked.get(key) ?? []), told])
  const edges = [...new Set(changes.flatMap(({ pair }) => pair.edges))]
  const operations = [...new Set(changes.map(({ operation }) => operation))]
  for (let from = 0; from < edges.length; from += EDGES_AT_ONCE) {
    const some = { edges: edges.slice(from, from + EDGES_AT_ONCE), operations }
    const found = await operationsOf(store.reads, window, earlier, some)
    for (const [index, edge] of found.edge.entries())
      for (const told of asked.get(keyOf(edge, found.operation[index] ?? '')) ?? []) {
        told.method = found.method[index] ?? ''
        told.path = found.path[index] ?? ''
        told.requests += found.requests[index] ?? 0
        told.requests_before += found.requests_before[index] ?? 0
      }
  }
  return changes.map(({ told }) => told).sort(mostFirst)
}
