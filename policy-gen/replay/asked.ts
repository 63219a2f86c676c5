import type { Declared } from '../../services/model/declaration.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { indexInventory } from '../inventory-index.ts'
import { type NamingRule, namingRule } from '../naming.ts'
import type { Asked, LayerContext, RegoEngine } from './layer.ts'
import { requestOf, routesAmong } from './request.ts'

export interface ReplayContext {
  inventory: Inventory
  /** The naming rules that the policies rest on; see `readAssumed` of `policy-gen/report.ts`. */
  assumed?: { principal?: string; selector?: string; ambient?: readonly string[] }
  window: { since: string; until: string }
  /** Evaluates Rego; without it, Rego is refused with a word on how to get it. */
  rego?: RegoEngine | null
  /** What owners declared: it should be allowed, seen or not. */
  declared?: Declared
}

/**
 * What policies are asked: each operation as an enforcement point would see its requests, and what formats know besides.
 *
 * @throws PolicyError `bad_option` for a naming rule that cannot be meant
 */
export function askedOf(
  operations: readonly ObservedOperation[],
  { inventory, assumed, rego = null }: ReplayContext,
): { asked: Asked[]; layers: LayerContext } {
  const index = indexInventory(inventory)
  const principal = ruleOf(assumed?.principal, 'assumed principal')
  const selectorRule = ruleOf(assumed?.selector, 'assumed selector')
  const routesOf = routesAmong(operations)
  return {
    asked: operations.map((operation) => ({ operation, request: requestOf(operation, index, principal, routesOf) })),
    layers: { index, selectorRule, ambient: assumed?.ambient ?? [], rego },
  }
}

function ruleOf(rule: string | undefined, name: string): NamingRule | null {
  return rule === undefined ? null : namingRule(rule, name)
}
