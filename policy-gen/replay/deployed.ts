import type { DeployedRule } from '../../services/model/diff.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { ReplayRequest } from './request.ts'

/** The allowing rules of a policy set, taken apart so far that each has one caller and one operation. */
export interface DeployedRules {
  rules: DeployedRule[]
  /** What a rule can be narrower in: of the rest, the format says nothing or leaves it open by intent. */
  says: readonly ('source' | 'port' | 'method' | 'path')[]
  /** Those of them that allow an observed operation, or may: what is not known is a use, so nothing used is taken away. */
  usedBy: (operation: ObservedOperation, request: ReplayRequest) => DeployedRule[]
}
