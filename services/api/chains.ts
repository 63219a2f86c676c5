import { type ChainAnswer, describeTrace } from '../analyzer/chains/describe.ts'
import { type ContextLost, contextLost, ROOTS_MAX, type RootReport, reportRoots } from '../analyzer/chains/report.ts'
import { withTemplates } from '../analyzer/chains/templates.ts'
import type { StoredTemplates } from '../analyzer/templates/stored.ts'
import { CinchError } from '../model/errors.ts'
import type { Graph } from '../model/graph.ts'
import { chainCounts, chainTotal, chainWindow, expectations, shapesOf } from '../store/queries/chain-counts.ts'
import { recordsNotChained, traceById } from '../store/queries/chains.ts'
import type { Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import { type AskedWindow, resolveWindow } from './window.ts'

/** Rows of counts that an answer is made from: root operations, shapes and sets of gaps. */
const COUNTS_MAX = 20_000
/** How far around a single chain is looked for what its hops otherwise have. */
const AROUND_MS = 86_400_000
/** A service looks for chains when their minute has been over for two; what is older waits for it. */
const NEW_MS = 600_000
/** A check of all requirements waits for so long at most for chains that nobody looked for: what is left is told, and makes nothing met. */
export const CHECK_CHAINS_MS = 4_000

export interface AskedChains extends AskedWindow {
  /** Part of the root operation, `namespace/workload METHOD /path`. */
  root?: string | undefined
}

export interface ChainsAnswer {
  window: Window
  chains: number
  complete: number
  roots: RootReport[]
  /** 1 where every chain was looked at; else, of the busiest minutes, how many each one stands for: the counts are estimates. */
  weight: number
  /** Services that do not pass the context on. */
  context_lost: ContextLost[]
  /** Chains of the window that are not in `roots`: more root operations, shapes and places than one answer holds. */
  left_out: number
  /** Spans and lines of the window in which chains were not looked for yet, though they are no longer new. */
  not_looked_at: number
}

/** @param graphOf the graph without operations: it knows callers that chains do not */
export async function chains(
  store: Store,
  { root = '', ...asked }: AskedChains,
  graphOf: (window: AskedWindow) => Promise<Graph>,
): Promise<ChainsAnswer> {
  const stored = await chainWindow(store.reads)
  const window = resolveWindow(asked, stored)
  const counts = await chainCounts(store.reads, window, root, COUNTS_MAX)
  const expected = await expectations(store.reads, window)
  const shapes = await shapesOf(
    store.reads,
    [...new Set(counts.map(({ shape }) => shape))].filter((id) => id !== ''),
  )
  const all = reportRoots(counts, expected, shapes, stored && stored.since < window.since ? window.since : undefined)
  const roots = all.slice(0, ROOTS_MAX)
  const total = await chainTotal(store.reads, window, root)
  return {
    window,
    chains: total,
    complete: all.reduce((sum, { complete }) => sum + complete, 0),
    roots,
    weight: Math.max(1, ...counts.map(({ weight }) => weight)),
    context_lost: contextLost(expected, callersOf(await graphOf(window))),
    left_out: total - roots.reduce((sum, report) => sum + report.chains, 0),
    not_looked_at: await recordsNotChained(store.reads, window, Date.now() - NEW_MS),
  }
}

/** Callers that access logs, flows or counters tell of; what only spans tell is in the chains. */
const callersOf = ({ edges }: Graph) =>
  new Set(edges.filter(({ reporter }) => reporter !== 'span').map(({ source }) => source))

/**
 * One chain with all that is known of it.
 * @throws CinchError `not_found`, `bad_option` for what is no trace id
 */
export async function chainByTrace(store: Store, id: string, templates: StoredTemplates): Promise<ChainAnswer> {
  if (!/^[0-9a-f]{32}$/i.test(id))
    throw new CinchError('bad_option', 'this is no trace id', 'give 32 hexadecimal digits, as in a traceparent header')
  const trace = await traceById(store.reads, id.toLowerCase())
  if (!trace)
    throw new CinchError(
      'not_found',
      `there is no trace ${id.toLowerCase()}`,
      'spans are kept for 30 days after they came',
    )
  const at = trace.began / 1000
  const around = { since: new Date(at - AROUND_MS).toISOString(), until: new Date(at + AROUND_MS).toISOString() }
  const [named = trace] = await withTemplates([trace], templates)
  return describeTrace(named, await expectations(store.reads, around))
}
