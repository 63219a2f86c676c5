import { type Format, layerOf } from '../layer.ts'
import { deployedRules } from './deployed.ts'
import { isNetworkPolicy, isTierPolicy, readNetworkPolicies, readTierPolicies } from './documents.ts'
import { evaluate } from './evaluate.ts'

/**
 * Kubernetes' NetworkPolicy and the cluster's own policies around it (ClusterNetworkPolicy; AdminNetworkPolicy before it), at the pods of both ends. Connections from a pod's own node always pass, and which network
 * plugin enforces policies, if any, is not known here.
 */
export const kubernetes: Format = {
  id: 'kubernetes',
  read(set, context) {
    const policies = readNetworkPolicies(set.take(isNetworkPolicy))
    const tiers = readTierPolicies(set.take(isTierPolicy))
    if (policies.length + tiers.length === 0) return null
    const byNamespace = Map.groupBy(policies, ({ namespace }) => namespace)
    const layer = layerOf((operation, { port }) => {
      const ends = [operation.source.namespace, operation.destination.namespace]
      const nearby = ends.includes('') ? policies : [...new Set(ends)].flatMap((name) => byNamespace.get(name) ?? [])
      return evaluate({ policies: nearby, tiers }, operation, port, context)
    })
    return { layer, ignored: [] }
  },
  deployed(set, context) {
    const policies = readNetworkPolicies(set.take(isNetworkPolicy))
    return policies.length === 0 ? null : deployedRules(policies, context)
  },
}
