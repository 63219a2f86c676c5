import type { Calls } from '../analyzer/graph/calls.ts'
import { noiseCandidates, withoutNoise } from '../analyzer/graph/noise.ts'
import type { NoisyCaller } from '../model/graph.ts'
import { edgeAgents } from '../store/queries/agents.ts'
import { edgeHours, type OperationRow, type Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'

/** The calls of a window without those of probes, scrapers and monitors, and whose these are. */
export async function hideNoise(
  store: Store,
  window: Window,
  calls: Calls<OperationRow>,
): Promise<{ calls: Calls<OperationRow>; hidden: NoisyCaller[] }> {
  const edges = noiseCandidates(calls.calls)
  const [hours, agents] = await Promise.all([
    edges.length === 0 ? [] : edgeHours(store.reads, window, edges),
    edgeAgents(store.reads, window, edges),
  ])
  const { calls: shown, hidden } = withoutNoise(calls.calls, hours, agents)
  return { calls: { ...calls, calls: shown }, hidden }
}
