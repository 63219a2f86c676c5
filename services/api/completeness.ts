import { createParties, type Parties } from '../analyzer/graph/parties.ts'
import { type Completeness, compareCounts, sumByCallee } from '../analyzer/metrics/completeness.ts'
import { addMetricEdges } from '../analyzer/metrics/edges.ts'
import type { Graph } from '../model/graph.ts'
import { readInventory } from '../store/queries/inventory.ts'
import { countedByCallee, loggedByCallee, metricEdgeRows } from '../store/queries/metric-rollups.ts'
import { storedWindow, type Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import { type AskedWindow, resolveWindow } from './window.ts'

/** Access logs held against request counters, by callee and hour. */
export interface CompletenessAnswer {
  window: Window
  hours: Completeness[]
}

export async function completeness(store: Store, asked: AskedWindow): Promise<CompletenessAnswer> {
  const window = resolveWindow(asked, await storedWindow(store.reads))
  const [logged, counted, inventory] = await Promise.all([
    loggedByCallee(store.reads, window),
    countedByCallee(store.reads, window),
    readInventory(store.reads),
  ])
  return { window, hours: compareCounts(logged, counted, createParties(logged, inventory)) }
}

/** Each callee's last day that is stored, the most missing first. */
export async function completenessOfLastDay(store: Store): Promise<Completeness[]> {
  const stored = await storedWindow(store.reads)
  if (!stored) return []
  const since = new Date(Date.parse(stored.until) - 86_400_000).toISOString()
  return sumByCallee((await completeness(store, { since, until: stored.until })).hours)
}

/** The graph with the edges that only counters tell of. */
export async function withMetricEdges(store: Store, graph: Graph, parties: Parties): Promise<Graph> {
  const rows = await metricEdgeRows(store.reads, graph.window)
  return rows.length === 0 ? graph : addMetricEdges(graph, rows, parties)
}
