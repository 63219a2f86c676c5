import { confidenceByCallee } from '../../policy-gen/confidence/callees.ts'
import { coverageOf, unseenMass } from '../../policy-gen/confidence/coverage.ts'
import { daysOf } from '../../policy-gen/confidence/days.ts'
import { type GenerateOptions, generate } from '../../policy-gen/generate.ts'
import { propose } from '../../policy-gen/propose.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { readAssumed } from '../../policy-gen/report.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import type { Backtest, BacktestDay } from '../model/backtest.ts'
import type { Inventory } from '../model/inventory.ts'
import type { ObservedOperation } from '../model/operation.ts'
import type { ReplayCall } from '../model/replay.ts'
import type { Window } from '../store/queries/rollups.ts'
import { regoEngineFor } from './opa.ts'

/** Days that are replayed when nobody says how many; the last of the window. */
export const DAYS_DEFAULT = 7
/** Each day costs a generate and a replay of all that was learned before it. */
export const DAYS_MAX = 62

/** What was observed in a window, as it was seen (for replay) and as the generator learns from it. */
export interface Observations {
  seen: ObservedOperation[]
  learned: ObservedOperation[]
  inventory: Inventory
}

export interface BacktestOptions extends Omit<GenerateOptions, 'window'> {
  target: string
  window: Window
  days: number
}

/**
 * Learns from the window up to a day and replays that day, for each of its last days: what would have happened, had the
 * policies been enforced that morning.
 */
export async function backtest(
  observe: (window: Window) => Promise<Observations>,
  { target: id, window, days: wanted, ...options }: BacktestOptions,
): Promise<Backtest> {
  const target = targetById(id)
  const calendar = daysOf(window)
  const days: BacktestDay[] = []
  for (const [index, { day, since, until }] of calendar.entries()) {
    if (index === 0 || index < calendar.length - wanted) continue
    const before = { since: window.since, until: since }
    const { learned, inventory } = await observe(before)
    const { files } = generate(learned, inventory, target, { ...options, window: before })
    const { seen } = await observe({ since, until })
    const context = { inventory, assumed: readAssumed(files), window: { since, until }, rego: regoEngineFor(files) }
    const result = replay(files, seen, context)
    days.push({
      day,
      learned_days: index,
      requests: result.requests - result.still_denied - sum(result.newly_allowed),
      would_deny: sum(result.newly_denied),
      uncertain: sum(result.uncertain),
      denied: result.newly_denied,
    })
  }
  const { learned, inventory } = await observe(window)
  const proposal = propose(learned, inventory, options)
  return {
    window,
    target: id,
    days,
    coverage: coverageOf(days),
    unseen: unseenMass(proposal.permissions),
    callees: confidenceByCallee(proposal, days, window),
  }
}

const sum = (calls: readonly ReplayCall[]) => calls.reduce((total, { requests }) => total + requests, 0)
