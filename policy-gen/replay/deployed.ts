import type { DeployedRule, UnreadRule } from '../../services/model/diff.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { ReplayRequest } from './request.ts'

export type RuleField = 'source' | 'port' | 'method' | 'path'

/** A rule multiplies its lists: nobody reads so many lines, and no memory holds them all. */
export const RULES_MAX = 500_000

/** The allowing rules of a policy set, taken apart so far that each has one caller and one operation. */
export interface DeployedRules {
  rules: DeployedRule[]
  /** What a rule can be narrower in: of the rest, the format says nothing or leaves it open by intent. */
  says: readonly RuleField[]
  /** Whether a field leaves open what uses may tell; where it is left out, an empty field does, and one with a star. */
  isOpen?: (rule: DeployedRule, field: RuleField) => boolean
  /** What is deployed beside the rules, with the reason why it was not taken apart. */
  unread?: readonly UnreadRule[]
  /** Those of them that allow an observed operation, or may: what is not known is a use, so nothing used is taken away. */
  usedBy: (operation: ObservedOperation, request: ReplayRequest) => DeployedRule[]
}

/** A rule, and what of it is open. */
export interface Described {
  deployed: DeployedRule
  open: readonly RuleField[]
}

/** Answers `isOpen` from what was told when the rules were taken apart. */
export function openOf(parts: readonly Described[]): NonNullable<DeployedRules['isOpen']> {
  const open = new Map(parts.map((part) => [part.deployed, part.open]))
  return (rule, field) => open.get(rule)?.includes(field) ?? false
}
