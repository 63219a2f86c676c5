import { adviceOf, leastRiskyFirst } from '../../../policy-gen/lifecycle/advice.ts'
import { isAround } from '../../../policy-gen/lifecycle/units.ts'
import { observedOperations } from '../../analyzer/graph/operations.ts'
import { createParties, type Parties } from '../../analyzer/graph/parties.ts'
import { EMPTY_INVENTORY } from '../../model/inventory.ts'
import type { Advice, DraftLife, MeasuredCall } from '../../model/lifecycle.ts'
import type { ObservedOperation } from '../../model/operation.ts'
import { type RefusedRow, takenSince } from '../../store/queries/policy-denials.ts'
import type { Store } from '../../store/store.ts'
import type { Operations } from '../policy-questions.ts'
import type { AskedWindow } from '../window.ts'
import type { Lifecycle } from './lifecycle.ts'

/** What to do next: of what is deployed by what was measured, of what is approved by what was predicted. */
export interface AdviceAnswer {
  deployed: Advice[]
  /** Approved and not promoted yet, the least risky first. */
  order: { callee: string; digest: string; would_deny: number; requests: number }[]
}

/** @param observe what was observed in a window */
export async function advise(
  store: Store,
  lifecycle: Pick<Lifecycle, 'drafts' | 'draft'>,
  observe: (window: AskedWindow) => Promise<Operations>,
  target: string,
  nowMs: number,
): Promise<AdviceAnswer> {
  const drafts = (await lifecycle.drafts()).filter((draft) => draft.target === target)
  const approved = drafts.filter(({ state, wanted, stale }) => state === 'approved' && wanted === '' && !stale)
  return {
    deployed: await measured(store, lifecycle, observe, drafts.filter(isMeasured), nowMs),
    order: leastRiskyFirst(approved).map(({ callee, digest, predicted }) => ({
      ...{ callee, digest },
      ...{ would_deny: predicted.newly_denied, requests: predicted.requests },
    })),
  }
}

/** What holds for a namespace is measured with its callees; what its proxies do not let out, no log tells as a denial. */
function isMeasured({ state, wanted, callee }: DraftLife): boolean {
  return (state === 'dry_run' || state === 'enforced') && wanted !== 'withdrawn' && !isAround(callee)
}

async function measured(
  store: Store,
  lifecycle: Pick<Lifecycle, 'draft'>,
  observe: (window: AskedWindow) => Promise<Operations>,
  drafts: readonly DraftLife[],
  nowMs: number,
): Promise<Advice[]> {
  if (drafts.length === 0) return []
  const momentOf = ({ at }: DraftLife) => Date.parse(at)
  const moments = [...new Set(drafts.map(momentOf))].sort((a, b) => a - b)
  const { taken, refused } = await takenSince(store.reads, moments)
  const windows = new Map(drafts.map(({ predicted: { window } }) => [JSON.stringify(window), window]))
  const observed = new Map<string, Operations>()
  for (const [key, window] of windows) observed.set(key, await observe(window))
  const [any] = observed.values()
  const parties = createParties(taken, any?.inventory ?? EMPTY_INVENTORY)
  const advice: Advice[] = []
  for (const draft of drafts) {
    const { permissions } = await lifecycle.draft(draft)
    const own = new Set(
      permissions.flatMap(({ callee }) => callee.members.map((member) => `${callee.namespace}/${member}`)),
    )
    const since = moments.indexOf(momentOf(draft)) + 1
    const mine = <Row extends RefusedRow | (typeof taken)[number]>(rows: readonly Row[]) =>
      rows.filter((row) => row.passed >= since && own.has(parties.destination(row).id))
    const requests = mine(taken).reduce((sum, row) => sum + row.requests, 0)
    const served = servedBefore(observed.get(JSON.stringify(draft.predicted.window)), draft.at)
    const told = { requests, calls: mine(refused).map((row) => callOf(row, parties)) }
    advice.push(adviceOf(draft, told, (call) => served.has(callKey(call)), nowMs))
  }
  return advice
}

/** Kinds of calls that were served in a window, and before a moment: what a dry run lets through later is none of them. */
function servedBefore(seen: Operations | undefined, at: string): Set<string> {
  const operations = seen ? observedOperations(seen.calls.calls) : []
  return new Set(operations.filter(({ requests, firstSeen }) => requests > 0 && firstSeen < at).map(keyOf))
}

function callOf(row: RefusedRow, parties: Parties): MeasuredCall {
  const { source_principal: source, method, shape: path, decision, requests, last_seen } = row
  return { destination: parties.destination(row).id, source, method, path, decision, requests, last_seen }
}

const keyOf = ({ source, destination, method, path }: ObservedOperation) =>
  JSON.stringify([source.principal, destination.id, method, path])
const callKey = ({ source, destination, method, path }: MeasuredCall) =>
  JSON.stringify([source, destination, method, path])
