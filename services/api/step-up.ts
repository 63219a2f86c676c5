import { type Front, planStepUp } from '../../policy-gen/step-up/plan.ts'
import { renderStepUp } from '../../policy-gen/step-up/render.ts'
import type { Loss, PolicyFile } from '../../policy-gen/targets/target.ts'
import { observedOperations } from '../analyzer/graph/operations.ts'
import type { Sensitive, StepUp } from '../model/step-up.ts'
import type { ChainsAnswer } from './chains.ts'
import type { Operations } from './policy-questions.ts'
import type { AskedWindow } from './window.ts'

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

/** Which operations ask users for more, what that would have meant, and the policies that ask. */
export async function stepUp(
  { window: asked, sensitive, rare, selector }: StepUpRequest,
  taught: (asked: AskedWindow) => Promise<Operations>,
  chainsOf: (asked: AskedWindow) => Promise<Pick<ChainsAnswer, 'roots'>>,
): Promise<StepUpAnswer> {
  const { window, inventory, calls } = await taught(asked)
  const { roots } = await chainsOf(window)
  const fronts = roots.flatMap(({ callee, method, path, shapes }) =>
    shapes.flatMap(({ tree }): Front[] => (tree ? [{ callee, method, path, calls: tree.calls }] : [])),
  )
  const plan = planStepUp(observedOperations(calls.calls), inventory, {
    ...{ window, sensitive, fronts },
    ...(rare === undefined ? {} : { rare }),
    ...(selector === undefined ? {} : { selectorRule: selector }),
  })
  return { ...plan.stepUp, ...renderStepUp(plan.planned) }
}
