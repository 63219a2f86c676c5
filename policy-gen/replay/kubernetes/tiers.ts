import { all } from '../tri.ts'
import { type Connection, matches, ofPeer, type Pod } from './connection.ts'
import type { TierPolicy } from './documents.ts'
import type { TierAction } from './read-cluster.ts'

/** What a tier can have decided: `none` where no rule of it matched. */
export interface Outcome {
  action: TierAction | 'none'
  by: string
}

const NONE: Outcome = { action: 'none', by: '' }

/**
 * What the policies of a tier may say of a connection: one outcome where that is known. The lowest priority goes first,
 * then a policy's rules in their order; of two policies with the same priority either may be asked.
 *
 * @param policies of one tier
 */
export function outcomesOf(
  policies: readonly TierPolicy[],
  direction: 'ingress' | 'egress',
  pod: Pod,
  connection: Connection,
): Outcome[] {
  const found: Outcome[] = []
  const byPriority = Map.groupBy(policies, ({ priority }) => priority)
  for (const priority of [...byPriority.keys()].sort((left, right) => left - right)) {
    const each = (byPriority.get(priority) ?? []).map((policy) => outcomesOfOne(policy, direction, pod, connection))
    found.push(...each.flat().filter(({ action }) => action !== 'none'))
    if (!each.every((outcomes) => outcomes.includes(NONE))) return found
  }
  return [...found, NONE]
}

function outcomesOfOne(
  policy: TierPolicy,
  direction: 'ingress' | 'egress',
  pod: Pod,
  connection: Connection,
): Outcome[] {
  const place = { namespace: null, cluster: policy.cluster }
  const { namespaces, pods } = policy.subject
  const applies = ofPeer({ is: 'pods', namespaces, pods }, place, pod)
  if (applies === 'no') return [NONE]
  const found: Outcome[] = []
  for (const rule of policy[direction]) {
    const matched = all(applies, matches(rule, place, connection))
    if (matched !== 'no') found.push({ action: rule.action, by: `${policy.kind} ${policy.name}` })
    if (matched === 'yes') return found
  }
  return [...found, NONE]
}
