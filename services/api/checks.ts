import { assess, type Readers } from '../analyzer/checks/assess.ts'
import { hopName } from '../analyzer/checks/check.ts'
import { observedOperations } from '../analyzer/graph/operations.ts'
import { sumByCallee } from '../analyzer/metrics/completeness.ts'
import type { Assessment } from '../model/check.ts'
import type { NoisyCaller } from '../model/graph.ts'
import { expectations } from '../store/queries/chain-counts.ts'
import type { Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import type { ChainsAnswer } from './chains.ts'
import { completeness } from './completeness.ts'
import type { Graphs } from './graphs.ts'
import { hideNoise } from './noise.ts'
import type { AskedWindow } from './window.ts'

export interface AskedChecks extends AskedWindow {
  /** Id of one requirement; all when absent. */
  requirement?: string | undefined
}

/** Requirements held against what a window of telemetry shows. */
export async function checks(
  store: Store,
  window: Window,
  requirement: string | undefined,
  graphs: Graphs,
  chainsOf: (asked: AskedWindow) => Promise<ChainsAnswer>,
): Promise<Assessment> {
  const observed = once(() => graphs.observed(window))
  const operations = once(async () => (await graphs.operationsOf(await observed())).calls)
  // Users along chains are found where chains are.
  const chains = once(() => chainsOf(window))
  const readers: Readers = {
    calls: async () => (await observed()).calls,
    told: async () => (await observed()).told,
    operations: async () => observedOperations((await operations()).calls),
    noise: async () => {
      const { hidden } = await hideNoise(store, window, await operations())
      // A monitor's paths may be any: who takes its name and rate could read in plaintext what he likes.
      return new Set(hidden.filter(({ kind }) => kind !== 'monitor').map(noisyHop))
    },
    inventory: async () => (await observed()).inventory,
    chains,
    users_along: async () => {
      await chains()
      return (await expectations(store.reads, window)).filter(({ kind }) => kind === 'user_lost')
    },
    completeness: async () => sumByCallee((await completeness(store, window)).hours),
  }
  return await assess(window, readers, requirement)
}

const noisyHop = ({ source, destination }: NoisyCaller) =>
  hopName({ source: { id: source }, destination: { id: destination } })

function once<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}
