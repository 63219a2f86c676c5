import { type Format, layerOf } from '../layer.ts'
import { isNetworkPolicy, readNetworkPolicies } from './documents.ts'
import { evaluate } from './evaluate.ts'

/**
 * Kubernetes' NetworkPolicy, at the pods of both ends. Connections from a pod's own node always pass, and which network
 * plugin enforces policies, if any, is not known here.
 */
export const kubernetes: Format = {
  id: 'kubernetes',
  read(set, context) {
    const policies = readNetworkPolicies(set.take(isNetworkPolicy))
    if (policies.length === 0) return null
    const byNamespace = Map.groupBy(policies, ({ namespace }) => namespace)
    const layer = layerOf((operation, { port }) => {
      const ends = [operation.source.namespace, operation.destination.namespace]
      const nearby = ends.includes('') ? policies : [...new Set(ends)].flatMap((name) => byNamespace.get(name) ?? [])
      return evaluate(nearby, operation, port, context)
    })
    return { layer, ignored: [] }
  },
}
