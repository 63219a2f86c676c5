import type { Change, OperationChange } from '../../model/comparison.ts'
import { byText } from '../../model/order.ts'
import {
  type Asked,
  CHANGED_OPERATIONS_MAX,
  type Compared,
  type OperationPresence,
  operationHours,
  operationsOf,
  presencesOf,
} from '../../store/queries/compare.ts'
import type { Store } from '../../store/store.ts'
import { mostFirst, type Totals, totalsOf } from './compare.ts'
import type { Pair } from './observed.ts'
import type { Pairs, ToldPair } from './pairs.ts'

/** Operations of edges that one statement asks for, each by two ids. */
const ASKED_AT_ONCE = 2_000
/** Changed operations that are listed; the totals count all. */
const OPERATIONS_MAX = 500

export type OperationColumns = { [Column in keyof OperationPresence]: OperationPresence[Column][] }

/** A pair and an operation, by its hash; requests are at least as many as the windows have. */
interface Sum {
  pair: ToldPair
  operation: string
  requests: number
  requests_before: number
}

type Changed = Sum & Pair & { change: Change }

type Sums = Map<ToldPair, Map<string, Sum>>

/**
 * Operations that one of two windows has and the other has not, whoever told of them: presence, apart from rates. An operation that one
 * edge of a pair lacks may be on another, told by another reporter or on another port; where that is not known yet, it is asked. What is
 * compared are hashes; texts and requests are looked up for what is listed, which are those used most by the week.
 * @param pairs whom edges told of in either window
 * @param candidates operations that an edge has in one of the windows only
 */
export async function changedOperations(
  store: Store,
  of: Compared,
  pairs: Pairs,
  candidates: OperationColumns,
): Promise<{ listed: OperationChange[]; totals: Totals; isCut: boolean }> {
  const told = pairs.ofEdges(new Set(candidates.edge))
  const added = new Map<string, Set<string>>()
  const sums: Sums = new Map()
  add(sums, added, candidates, told)
  for (const some of inParts(missing(candidates, told, added)))
    add(sums, added, await presencesOf(store.reads, of, some), told, true)
  const changed = [...changedOf(sums)]
  const most = changed.sort((a, b) => mostFirst(a, b) || byText(a.operation, b.operation)).slice(0, OPERATIONS_MAX)
  return {
    listed: await listed(store, of, most),
    totals: totalsOf(changed),
    isCut: candidates.edge.length >= CHANGED_OPERATIONS_MAX,
  }
}

function* changedOf(sums: Sums): Generator<Changed> {
  for (const operations of sums.values())
    for (const { pair, operation, requests, requests_before } of operations.values()) {
      if (requests > 0 && requests_before > 0) continue
      const { source, destination } = pair
      const change = requests > 0 ? 'new' : 'gone'
      yield { pair, operation, requests, requests_before, source, destination, change }
    }
}

/** Adds each edge's operations once; with `isKnownOnly` to those that are there. */
function add(
  sums: Sums,
  added: Map<string, Set<string>>,
  columns: OperationColumns,
  pairs: ReadonlyMap<string, ToldPair[]>,
  isKnownOnly = false,
): void {
  for (const [index, edge] of columns.edge.entries()) {
    const { [index]: operation = '' } = columns.operation
    const told = added.get(edge) ?? new Set<string>()
    if (told.has(operation)) continue
    added.set(edge, told.add(operation))
    const [requests = 0, requests_before = 0] = [columns.requests[index], columns.requests_before[index]]
    for (const pair of pairs.get(edge) ?? []) {
      const of = sums.get(pair) ?? new Map<string, Sum>()
      const known = of.get(operation)
      if (known) {
        known.requests += requests
        known.requests_before += requests_before
      } else if (!isKnownOnly) sums.set(pair, of.set(operation, { pair, operation, requests, requests_before }))
    }
  }
}

/** Other edges of the same pairs that did not tell of an operation, with that. */
function missing(
  candidates: OperationColumns,
  pairs: ReadonlyMap<string, ToldPair[]>,
  added: ReadonlyMap<string, Set<string>>,
): [edge: string, operation: string][] {
  const asked = new Map<string, Set<string>>()
  for (const [index, edge] of candidates.edge.entries()) {
    const { [index]: operation = '' } = candidates.operation
    for (const { edges } of pairs.get(edge) ?? [])
      for (const other of edges)
        if (!added.get(other)?.has(operation)) asked.set(other, (asked.get(other) ?? new Set()).add(operation))
  }
  return [...asked].flatMap(([edge, operations]) =>
    [...operations].map((operation): [string, string] => [edge, operation]),
  )
}

/** With texts, and with the requests of the windows themselves. */
async function listed(store: Store, of: Compared, most: readonly Changed[]): Promise<OperationChange[]> {
  const changes = new Map<string, OperationChange[]>()
  const asked: [edge: string, operation: string][] = []
  const all = most.map(({ pair, operation, change }): OperationChange => {
    const { source, destination, edges } = pair
    const told = { source, destination, method: '', path: '', change, requests: 0, requests_before: 0 }
    for (const edge of edges) {
      const key = `${edge} ${operation}`
      const known = changes.get(key)
      if (!known) asked.push([edge, operation])
      changes.set(key, [...(known ?? []), told])
    }
    return told
  })
  const addRequests = (columns: OperationColumns, index: number) => {
    for (const told of changes.get(`${columns.edge[index]} ${columns.operation[index]}`) ?? []) {
      told.requests += columns.requests[index] ?? 0
      told.requests_before += columns.requests_before[index] ?? 0
    }
  }
  for (const some of inParts(asked)) {
    const found = await operationsOf(store.reads, of, some)
    const cut = new Map<string, { edge: string; path: string }>()
    for (const [index, edge] of found.edge.entries()) {
      const key = `${edge} ${found.operation[index]}`
      const [method = '', path = ''] = [found.method[index], found.path[index]]
      for (const told of changes.get(key) ?? []) Object.assign(told, { method, path })
      if (found.exact[index] === 1) addRequests(found, index)
      else cut.set(key, { edge, path })
    }
    if (cut.size === 0) continue
    const [edges, paths] = [[...cut.values()].map(({ edge }) => edge), [...cut.values()].map(({ path }) => path)]
    const hours = await operationHours(store.reads, of, { edges, paths })
    for (const [index, edge] of hours.edge.entries())
      if (cut.has(`${edge} ${hours.operation[index]}`)) addRequests(hours, index)
  }
  // What has been stored for long enough is gone by the hour before it is by the week.
  return all.filter(({ requests, requests_before }) => requests + requests_before > 0).sort(inOrder)
}

const inOrder = (a: OperationChange, b: OperationChange) =>
  mostFirst(a, b) || byText(a.method, b.method) || byText(a.path, b.path)

function* inParts(asked: readonly (readonly [edge: string, operation: string])[]): Generator<Asked> {
  for (let from = 0; from < asked.length; from += ASKED_AT_ONCE) {
    const some = asked.slice(from, from + ASKED_AT_ONCE)
    yield { edges: some.map(([edge]) => edge), operations: some.map(([, operation]) => operation) }
  }
}
