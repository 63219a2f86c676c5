import { diff } from '../../policy-gen/diff/diff.ts'
import { type Generated, type GenerateOptions, generate } from '../../policy-gen/generate.ts'
import { leastPrivilege, type Privilege } from '../../policy-gen/least-privilege.ts'
import { unitsOf } from '../../policy-gen/lifecycle/units.ts'
import { preflight } from '../../policy-gen/preflight/preflight.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { readAssumed } from '../../policy-gen/report.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import type { Calls } from '../analyzer/graph/calls.ts'
import { observedOperations } from '../analyzer/graph/operations.ts'
import { withTemplates } from '../analyzer/graph/templates.ts'
import { templatesOfCalls } from '../analyzer/templates/window.ts'
import type { Backtest } from '../model/backtest.ts'
import type { PolicyDiff } from '../model/diff.ts'
import type { Inventory } from '../model/inventory.ts'
import type { Preflight } from '../model/preflight.ts'
import type { ReplayResult } from '../model/replay.ts'
import { outboundTellers } from '../store/queries/outbound.ts'
import type { OperationRow, Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import { type BacktestOptions, backtest } from './backtest.ts'
import { type AdviceAnswer, advise } from './lifecycle/advise.ts'
import { candidatesOf } from './lifecycle/candidates.ts'
import type { Lifecycle, Proposed } from './lifecycle/lifecycle.ts'
import type { By } from './lifecycle/log.ts'
import { regoEngine, regoEngineFor } from './opa.ts'
import type { AskedWindow } from './window.ts'

export type GenerateRequest = { target: string; window: AskedWindow } & Omit<GenerateOptions, 'window'>

export type BacktestRequest = { window: AskedWindow } & Omit<BacktestOptions, 'window'>

/** As `policies generate` has them: see `policy-gen/naming.ts`. */
export interface NamingRules {
  principal?: string
  selector?: string
}

/** What Cinch makes of policies, and makes policies of. */
export interface PolicyUses {
  generate(request: GenerateRequest): Promise<Generated>
  replay(files: PolicyFile[], window: AskedWindow): Promise<ReplayResult>
  /** Deployed policies held against what was observed; the rules name callers and callees that are known by a claim only. */
  diff(files: PolicyFile[], window: AskedWindow, rules?: NamingRules): Promise<PolicyDiff>
  /** What would break on enforcement and no traffic shows. */
  preflight(files: PolicyFile[], window: AskedWindow): Promise<Preflight>
  /** Learns up to a day and replays it, for each of the window's last days; and what that says of tomorrow. */
  backtest(request: BacktestRequest): Promise<Backtest>
  /** Generates, and makes a draft of each callee's policies that is not there yet. @param callees only these; all when absent */
  propose(request: GenerateRequest, by: By, callees?: readonly string[]): Promise<Proposed>
  /** How much more than was observed or declared policies allow, by granularity. */
  privilege(request: GenerateRequest): Promise<Privilege>
  /** What measured denials and predicted ones say is to be done next. */
  advice(target: string): Promise<AdviceAnswer>
}

/** What was observed in a window. */
export interface Operations {
  window: Window
  inventory: Inventory
  calls: Calls<OperationRow>
}

/** What policies are made of. */
export interface Observations {
  windowOf(asked: AskedWindow): Promise<Window>
  /** What was observed. */
  seen(asked: AskedWindow): Promise<Operations>
  /** The same with the replicas behind each operation, and the Pods that were declared. */
  evidence(asked: AskedWindow): Promise<Operations>
  /** The same with paths as templates, from which policies are made. */
  learned(seen: Operations): Promise<Operations>
}

export function policyQuestions(observations: Observations, lifecycle: Lifecycle, store: Store): PolicyUses {
  const { seen, evidence, windowOf } = observations
  return {
    ...making(observations, lifecycle, store),
    advice: async (target) => await advise(store, lifecycle, seen, targetById(target).id, Date.now()),
    replay: async (files, asked) => {
      const [{ window, inventory, calls }, declared] = await Promise.all([seen(asked), lifecycle.declarations()])
      const rego = regoEngineFor(files)
      const context = { inventory, assumed: readAssumed(files), window, rego, declared }
      return replay(files, observedOperations(calls.calls), context)
    },
    diff: async (files, asked, rules = {}) => {
      const [{ window, inventory, calls }, declared] = await Promise.all([seen(asked), lifecycle.declarations()])
      const assumed = { ...readAssumed(files), ...rules }
      const rego = regoEngineFor(files)
      return diff(files, observedOperations(calls.calls), { inventory, assumed, window, declared, rego })
    },
    preflight: async (files, asked) => {
      const { window, inventory, calls } = await seen(asked)
      return preflight(files, observedOperations(calls.calls), { inventory, window })
    },
    backtest: async ({ window: asked, ...options }) => {
      const window = await windowOf(asked)
      const days = async (within: Window) => {
        const { inventory, calls } = await evidence(within)
        return {
          seen: observedOperations(calls.calls),
          learned: observedOperations(withTemplates(calls.calls, templatesOfCalls(calls.calls))),
          inventory,
        }
      }
      return await backtest(days, { ...options, declared: await lifecycle.declarations(), window })
    },
  }
}

/** What policies are made, and how wide they are. */
function making(
  { evidence, learned }: Observations,
  lifecycle: Lifecycle,
  store: Store,
): Pick<PolicyUses, 'generate' | 'propose' | 'privilege'> {
  const material = async ({ target, window: asked, ...options }: GenerateRequest) => {
    const [found, declared] = await Promise.all([evidence(asked), lifecycle.declarations()])
    const { window, inventory, calls } = found
    return {
      observed: observedOperations(calls.calls),
      taught: observedOperations((await learned(found)).calls.calls),
      inventory,
      target: targetById(target),
      made: { ...options, declared, window, outbound: await outboundTellers(store.reads, window) },
    }
  }
  return {
    generate: async (request) => {
      const { taught, inventory, target, made } = await material(request)
      const { files, report } = generate(taught, inventory, target, made)
      return { files, report }
    },
    propose: async (request, by, callees) => {
      const { observed, taught, inventory, target, made } = await material(request)
      const { window } = made
      const { files, report, egress } = generate(taught, inventory, target, made)
      const context = { inventory, assumed: readAssumed(files), window, rego: regoEngineFor(files) }
      const replayed = replay(files, observed, context)
      const units = unitsOf(report.permissions, inventory, target, window, egress)
      const asked = callees ? units.filter(({ callee }) => callees.includes(callee)) : units
      return await lifecycle.propose(candidatesOf(asked, observed, replayed), by)
    },
    privilege: async (request) => {
      const { observed, taught, inventory, target, made } = await material(request)
      const rego = target.id === 'opa-rego' ? regoEngine() : null
      return leastPrivilege(observed, taught, inventory, target, made, rego)
    },
  }
}
