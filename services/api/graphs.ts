import { type Books, createBooks } from '../analyzer/graph/book.ts'
import type { Calls } from '../analyzer/graph/calls.ts'
import { compare } from '../analyzer/graph/compare.ts'
import { buildGraph, foldCalls } from '../analyzer/graph/graph.ts'
import { observe as observeRows } from '../analyzer/graph/observed.ts'
import { withReplicas } from '../analyzer/graph/replicas.ts'
import { groupsOf, screenOf, type View } from '../analyzer/graph/screen.ts'
import { withTemplates } from '../analyzer/graph/templates.ts'
import { withUsers } from '../analyzer/graph/users.ts'
import { createStoredTemplates, type StoredTemplates } from '../analyzer/templates/stored.ts'
import type { Comparison } from '../model/comparison.ts'
import { CinchError } from '../model/errors.ts'
import type { Graph, GroupBy, Screen } from '../model/graph.ts'
import { oneSidedOperations } from '../store/queries/compare.ts'
import { unnamedRequests } from '../store/queries/join-answers.ts'
import { declaredPods, replicaRows } from '../store/queries/replicas.ts'
import {
  type AskedUsage,
  edgeHours,
  type KeptHours,
  type OperationRow,
  operationRows,
  type Window,
} from '../store/queries/rollups.ts'
import { toldIn, toldOfEither } from '../store/queries/told.ts'
import { userRows } from '../store/queries/users.ts'
import type { Store } from '../store/store.ts'
import { withMetricEdges } from './completeness.ts'
import { hideNoise } from './noise.ts'

/** The graph and what is asked of it, of windows that are resolved. */
export type Graphs = ReturnType<typeof createGraphs>

/** @param edgesMax edges that are kept in memory */
export function createGraphs(store: Store, edgesMax?: number, templates = createStoredTemplates(store)) {
  const books = createBooks(store, edgesMax)
  const { read, observe, observed, operationsOf, withLearned } = readsOf(store, books, templates)
  const operations = async (window: Window) => await operationsOf(await observed(window))
  /** The same with who exactly called: replicas, and the Pods that were declared. */
  const evidence = async (window: Window) => {
    const [found, pods] = await Promise.all([
      observed(window).then((told) => operationsOf(told, true)),
      declaredPods(store.reads, window),
    ])
    return { ...found, inventory: { ...found.inventory, pods } }
  }
  return {
    observed,
    operationsOf,
    operations,
    evidence,
    withLearned,
    graph: async (window: Window, hides = false): Promise<Graph> => {
      const { names, calls } = await withLearned(await operations(window))
      if (hides) {
        const quiet = await hideNoise(store, window, calls)
        // What counters tell has no operations: which of it is noise is not known.
        return { ...buildGraph(window, quiet.calls), hidden: quiet.hidden }
      }
      return await withMetricEdges(store, buildGraph(window, calls), names.parties)
    },
    edges: async (window: Window): Promise<Graph> => {
      const { names, ...calls } = await observed(window)
      return await withMetricEdges(store, buildGraph(window, calls), names.parties)
    },
    screen: async (window: Window, view: View): Promise<Screen> => {
      const told = await toldIn(store.reads, window)
      const isPart = view.focus !== undefined && !told.counted
      const some = isPart ? await books.around(view.focus ?? '', view.depth) : undefined
      const { names, inventory, ...calls } = await observe(await read(window, { told, edges: some }))
      const logged = foldCalls(window, calls)
      const graph = told.counted ? await withMetricEdges(store, logged, names.parties) : logged
      if (
        view.focus !== undefined &&
        !calls.atlas.nodes.has(view.focus) &&
        !graph.nodes.some(({ id }) => id === view.focus)
      )
        throw new CinchError('not_found', `there is no node '${view.focus}'`, 'see cinch graph for the ids of nodes')
      return screenOf(graph, view, inventory, calls.atlas.nodes)
    },
    compare: async (window: Window, earlier: Window, by: GroupBy): Promise<Comparison> => {
      const told = await Promise.all([toldIn(store.reads, window), toldIn(store.reads, earlier)])
      const either = toldOfEither(...told)
      // The engine goes on while it is decided here whose word counts.
      const candidates = oneSidedOperations(store.reads, { window, earlier, told: either })
      candidates.catch(() => {})
      const material = await read(window, { told: told[0], isUntimed: true })
      const reading = read(earlier, { told: told[1], isUntimed: true })
      reading.catch(() => {})
      const [now, before] = [
        { window, ...(await observe(material)) },
        { window: earlier, ...(await observe(await reading)) },
      ]
      const groupOf = groupsOf(now.inventory, by)
      const { nodes } = now.atlas
      return await compare(store, now, before, either, candidates, (id) => {
        const node = nodes.get(id)
        return node ? groupOf(node) : id
      })
    },
  }
}

/** What questions of a graph are answered from. */
function readsOf(store: Store, books: Books, storedTemplates: StoredTemplates) {
  const read = async (window: Window, asked: AskedUsage) => {
    const why = asked.told.joined ? unnamedRequests(store.reads, window) : []
    const [book, unnamed] = await Promise.all([books.read(window, asked), why])
    return { window, book, why: unnamed }
  }
  /** The calls of a window; whose word counts is decided here for all that is asked of a graph. */
  const observe = async ({ window, book: { rows, ...book }, why }: Awaited<ReturnType<typeof read>>) => ({
    ...book,
    ...(await observeRows(rows, book.names, (edges) => edgeHours(store.reads, window, edges), why)),
  })
  /** The calls, each once, and every reporter's word on them. */
  const observed = async (window: Window) => {
    const material = await read(window, { told: await toldIn(store.reads, window) })
    return { window, told: material.book.rows, ...(await observe(material)) }
  }
  const operationsOf = async (
    { window, names, inventory, partial, operations: of }: Awaited<ReturnType<typeof observed>>,
    tellsReplicas = false,
  ) => {
    const [rows, replicas] = await Promise.all([
      usedOperations(store, window, partial),
      tellsReplicas ? replicaRows(store.reads, window, partial) : [],
    ])
    return { names, inventory, calls: of(withReplicas(rows, replicas)) }
  }
  // What people and policies are told; replay decides on what was observed.
  const withLearned = async <Found extends { calls: Calls<OperationRow> }>({ calls, ...found }: Found) => {
    const templates = await storedTemplates(calls.calls.map(({ destination }) => destination.id))
    return { ...found, calls: { ...calls, calls: withTemplates(calls.calls, templates) } }
  }
  return { read, observe, observed, operationsOf, withLearned }
}

/** The operations of a window with the users behind their requests. */
async function usedOperations({ reads }: Store, window: Window, partial: KeptHours) {
  const [rows, users] = await Promise.all([operationRows(reads, window, partial), userRows(reads, window, partial)])
  return withUsers(rows, users)
}
