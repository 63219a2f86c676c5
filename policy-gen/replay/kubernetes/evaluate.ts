import type { ObservedOperation, Party } from '../../../services/model/operation.ts'
import { isExternal } from '../external.ts'
import type { LayerContext, Verdict } from '../layer.ts'
import { labelsOf } from '../selection.ts'
import { all, some, type Tri } from '../tri.ts'
import { type Connection, matches, ofPeer, type Pod } from './connection.ts'
import type { NetworkDocuments, NetworkPolicy, TierPolicy } from './documents.ts'
import { outcomesOf } from './tiers.ts'

/** Both directions must let a connection pass: what the caller's pods may reach, and who may reach the callee's. */
export function evaluate(
  policies: NetworkDocuments,
  { source, destination, protocol }: ObservedOperation,
  port: number,
  { index, selectorRule }: LayerContext,
): Verdict {
  const podOf = (party: Party): Pod => ({ party, labels: labelsOf(party, index, selectorRule) })
  const [from, to] = [podOf(source), podOf(destination)]
  const tcp = protocol === 'unknown' ? 'unknown' : 'yes'
  // Outside of the cluster is no pod that a policy could select.
  const verdicts = [
    isExternal(destination) ? UNSELECTED : inDirection('ingress', policies, to, { peer: from, port, tcp }),
    isExternal(source) ? UNSELECTED : inDirection('egress', policies, from, { peer: to, port, tcp }),
  ]
  const allowed = all(...verdicts.map((verdict) => verdict.allowed))
  return verdicts.find((verdict) => verdict.allowed === allowed) ?? UNSELECTED
}

const UNSELECTED: Verdict = { allowed: 'yes', reason: 'no NetworkPolicy selects the pods' }

type Direction = 'ingress' | 'egress'

/** The cluster's Admin tier, then the namespaces' NetworkPolicies, then, for pods that none selects, the Baseline tier. */
function inDirection(direction: Direction, documents: NetworkDocuments, pod: Pod, connection: Connection): Verdict {
  const { policies, tiers } = documents
  const possible: Verdict[] = []
  for (const { action, by } of outcomes('Admin', tiers, direction, pod, connection)) {
    if (action === 'Accept' || action === 'Deny') possible.push(decided(action, by))
    else possible.push(...behindAdmin(direction, policies, tiers, pod, connection))
  }
  return agreed(possible)
}

function behindAdmin(
  direction: Direction,
  policies: readonly NetworkPolicy[],
  tiers: readonly TierPolicy[],
  pod: Pod,
  connection: Connection,
): Verdict[] {
  const { isolated, verdict } = byNamespace(direction, policies, pod, connection)
  if (isolated === 'yes') return [verdict]
  const baseline = outcomes('Baseline', tiers, direction, pod, connection).map(({ action, by }) =>
    action === 'Accept' || action === 'Deny' ? decided(action, by) : UNSELECTED,
  )
  return isolated === 'no' ? baseline : [verdict, ...baseline]
}

function outcomes(
  tier: TierPolicy['tier'],
  tiers: readonly TierPolicy[],
  direction: Direction,
  pod: Pod,
  connection: Connection,
) {
  const own = tiers.filter((policy) => policy.tier === tier)
  return outcomesOf(own, direction, pod, connection)
}

function decided(action: 'Accept' | 'Deny', by: string): Verdict {
  return action === 'Accept'
    ? { allowed: 'yes', reason: `accepted by ${by}` }
    : { allowed: 'no', reason: `denied by ${by}` }
}

function agreed(possible: readonly Verdict[]): Verdict {
  const [first = UNSELECTED] = possible
  if (possible.every(({ allowed }) => allowed === first.allowed)) return first
  const unknown = possible.find(({ allowed }) => allowed === 'unknown')
  const named = possible.find(({ reason }) => reason !== UNSELECTED.reason)?.reason ?? ''
  return (
    unknown ?? {
      allowed: 'unknown',
      reason: `not known: labels, addresses or the port on which it depends; perhaps ${named}`,
    }
  )
}

/** What NetworkPolicies say, and whether one selects the pod at all. */
function byNamespace(
  direction: Direction,
  policies: readonly NetworkPolicy[],
  pod: Pod,
  connection: Connection,
): { isolated: Tri; verdict: Verdict } {
  let isolated: Tri = 'no'
  let allowed: Tri = 'no'
  const names: string[] = []
  for (const policy of policies) {
    const rules = policy[direction]
    const applies = rules === null ? 'no' : selects(policy, pod)
    if (rules === null || applies === 'no') continue
    names.push(`${policy.namespace}/${policy.name}`)
    if (isolated !== 'yes') isolated = applies
    const matched = all(
      applies,
      some(rules, (rule) => matches(rule, policy, connection)),
    )
    if (matched === 'yes') {
      return { isolated: 'yes', verdict: { allowed: 'yes', reason: `allowed by NetworkPolicy ${names.at(-1)}` } }
    }
    if (matched === 'unknown') allowed = 'unknown'
  }
  if (isolated === 'no') return { isolated, verdict: UNSELECTED }
  const listed = `NetworkPolicy ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
  if (isolated === 'yes' && allowed === 'no')
    return { isolated, verdict: { allowed: 'no', reason: `no rule of ${listed} matches` } }
  const reason = `not known: labels, addresses or the port that ${listed} asks for`
  return { isolated, verdict: { allowed: 'unknown', reason } }
}

function selects(policy: NetworkPolicy, pod: Pod): Tri {
  return ofPeer({ is: 'pods', namespaces: null, pods: policy.pods }, policy, pod)
}
