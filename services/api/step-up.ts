import type { ClickHouseClient } from '@clickhouse/client'
import { type Front, type Plan, planStepUp } from '../../policy-gen/step-up/plan.ts'
import { renderStepUp } from '../../policy-gen/step-up/render.ts'
import type { Loss, PolicyFile } from '../../policy-gen/targets/target.ts'
import { observedOperations } from '../analyzer/graph/operations.ts'
import type { ObservedOperation } from '../model/operation.ts'
import { type Sensitive, type StepUp, satisfying } from '../model/step-up.ts'
import type { OperationRow } from '../store/queries/rollups.ts'
import { type FrontRow, promptedUsers, sessionRows } from '../store/queries/sessions.ts'
import type { ChainsAnswer } from './chains.ts'
import type { Operations } from './policy-questions.ts'
import type { AskedWindow } from './window.ts'

/** Requests with a user of which all sessions are counted; of more, one in so many. */
const REQUESTS_MAX = 5_000_000
/** Operations of edges whose sessions are counted, those that ask first: they are handed to the store with the question. */
const FRONTS_MAX = 5_000
const USERS_SHOWN_MAX = 20

export interface StepUpRequest {
  window: AskedWindow
  sensitive: Sensitive[]
  /** See `StepUpOptions`. */
  rare?: number
  selector?: string
}

export interface StepUpAnswer extends StepUp {
  files: PolicyFile[]
  loss: Loss[]
}

interface Sources {
  seen(asked: AskedWindow): Promise<Operations>
  learned(seen: Operations): Promise<Operations>
  chainsOf(asked: AskedWindow): Promise<Pick<ChainsAnswer, 'roots'>>
  reads: ClickHouseClient
}

/** Which operations ask users for more, what that would have meant, and the policies that ask. */
export async function stepUp(
  { window: asked, sensitive, rare, selector }: StepUpRequest,
  { seen: operationsOf, learned, chainsOf, reads }: Sources,
): Promise<StepUpAnswer> {
  const seen = await operationsOf(asked)
  const { window, inventory, calls } = await learned(seen)
  const { roots } = await chainsOf(window)
  const fronts = roots.flatMap(({ callee, method, path, shapes }) =>
    shapes.flatMap(({ tree }): Front[] => (tree ? [{ callee, method, path, calls: tree.calls }] : [])),
  )
  const operations = observedOperations(calls.calls)
  const plan = planStepUp(operations, inventory, {
    ...{ window, sensitive, fronts },
    ...(rare === undefined ? {} : { rare }),
    ...(selector === undefined ? {} : { selectorRule: selector }),
  })
  // Templates change a call's path and leave the calls in their places.
  const rowOf = new Map(operations.map((operation, at) => [operation, seen.calls.calls[at]?.row]))
  const sessions = await sessionsOf(plan, rowOf, reads)
  return { ...plan.stepUp, ...sessions, ...renderStepUp(plan.planned) }
}

/** How many sessions would have met a challenge: that is told by the facts alone, as long as they are kept. */
async function sessionsOf(
  { stepUp: { window, requests, triggers }, fronts }: Plan,
  rowOf: ReadonlyMap<ObservedOperation, OperationRow | undefined>,
  reads: ClickHouseClient,
): Promise<Pick<StepUp, 'by_session' | 'triggers'>> {
  const asked = fronts.flatMap(({ entry, trigger }, at) =>
    entry.fronts.flatMap((operation) => frontRow(at + 1, operation, rowOf.get(operation), trigger)),
  )
  const rows = asked.slice(0, FRONTS_MAX)
  const oneIn = Math.max(1, Math.ceil(requests / REQUESTS_MAX))
  const found = rows.length === 0 ? [] : await sessionRows(reads, window, rows, oneIn)
  const all = found.find(({ place }) => place === 0)
  if (!all) return { by_session: null, triggers }
  const users = await promptedUsers(reads, window, rows, oneIn, USERS_SHOWN_MAX)
  const counts = ({ sessions, prompted, uncertain }: typeof all) => ({
    ...{ sessions: sessions * oneIn, prompted: prompted * oneIn, uncertain: uncertain * oneIn },
  })
  const share = all.prompted / all.sessions
  return {
    by_session: { ...counts(all), share, since: all.since, one_in: oneIn, users },
    // They are the first places, in their order.
    triggers: triggers.map((trigger, at) => {
      const own = found.find(({ place }) => place === at + 1)
      return { ...trigger, by_session: own ? counts(own) : null }
    }),
  }
}

function frontRow(
  place: number,
  { users }: ObservedOperation,
  row: OperationRow | undefined,
  trigger: Plan['fronts'][number]['trigger'],
): FrontRow[] {
  if (!row || !users) return []
  const { edge, method, shape, path_flags } = row
  return [
    {
      ...{ place, edge, method, shape, path_flags },
      levels: trigger ? satisfying(trigger.acr) : [],
      max_age_s: trigger?.max_age_s ?? 0,
      tells_acr: users.seen.some(({ acr }) => acr !== null),
      tells_age: users.seen.some(({ ageS }) => ageS !== null),
    },
  ]
}
