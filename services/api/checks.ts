import { assess, count, type Readers, type Said } from '../analyzer/checks/assess.ts'
import { hopName } from '../analyzer/checks/check.ts'
import { type Scope, scoped } from '../analyzer/checks/scope.ts'
import { directoryLinks } from '../analyzer/directory/links.ts'
import { reportOf } from '../analyzer/findings/from-check.ts'
import { bothEnds } from '../analyzer/graph/both-ends.ts'
import { observedOperations } from '../analyzer/graph/operations.ts'
import { sumByCallee } from '../analyzer/metrics/completeness.ts'
import type { Assessment } from '../model/check.ts'
import type { NoisyCaller } from '../model/graph.ts'
import { expectations } from '../store/queries/chain-counts.ts'
import { logFields } from '../store/queries/log-fields.ts'
import type { Window } from '../store/queries/rollups.ts'
import { saveVerdicts } from '../store/queries/verdicts.ts'
import type { Store } from '../store/store.ts'
import type { ChainsAnswer } from './chains.ts'
import { completeness } from './completeness.ts'
import type { Producer } from './findings.ts'
import type { Graphs } from './graphs.ts'
import { hideNoise } from './noise.ts'
import type { AskedWindow } from './window.ts'

export interface AskedChecks extends AskedWindow, Scope {
  /** Id of one requirement; all when absent. */
  requirement?: string | undefined
}

export interface Checks {
  /** Requirements held against what a window of telemetry shows. */
  assess(window: Window, asked: Omit<AskedChecks, keyof AskedWindow>): Promise<Assessment>
  /** What all checks see of a window, as findings; keeps the day's verdicts. */
  produce: Producer
}

/** What checks read. */
export interface CheckSources {
  store: Store
  graphs: Graphs
  chainsOf: (asked: AskedWindow) => Promise<ChainsAnswer>
  /** What people said that verdicts heed. */
  said: () => Promise<Said>
}

export function createChecks(sources: CheckSources): Checks {
  const { store, said } = sources
  let kept = ''
  return {
    assess: async (window, { requirement = '', ...scope }) => {
      const counted = await count(window, scoped(readersOf(window, sources), scope), requirement)
      return assess(counted, await said())
    },
    produce: async (window, at) => {
      const counted = await count(window, readersOf(window, sources))
      const { requirements } = assess(counted, await said())
      const day = new Date(Date.parse(window.until) - 1).toISOString().slice(0, 10)
      const verdicts = requirements.map(({ id, verdict }) => ({ id, verdict }))
      const text = JSON.stringify([day, verdicts])
      // A service looks all the time, and verdicts change seldom.
      if (text !== kept) await saveVerdicts(store.jobs, day, verdicts, Date.parse(at))
      kept = text
      return counted.countings.map((counting) => reportOf(counting, window, at))
    },
  }
}

function readersOf(window: Window, { store, graphs, chainsOf }: CheckSources): Readers {
  const observed = once(() => graphs.observed(window))
  const operations = once(async () => (await graphs.operationsOf(await observed())).calls)
  // Users along chains are found where chains are.
  const chains = once(() => chainsOf(window))
  return {
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
    both_ends: async () => {
      const { told, names } = await observed()
      return bothEnds(told, names)
    },
    fields: () => logFields(store.reads, window),
    changes: () => directoryLinks(store, window),
  }
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
