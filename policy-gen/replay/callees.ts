import type { Party } from '../../services/model/operation.ts'
import type { LayerContext } from './layer.ts'
import { hasLabels, labelsOf, sameName } from './selection.ts'
import { all } from './tri.ts'

/** A callee as policies' own data has it: its pods have these labels. */
export interface KnownCallee {
  id: string
  cluster: string
  namespace: string
  labels: Record<string, string>
}

/** Stands for a callee that the data does not have: policies that name none hold for it too. */
export const NO_CALLEE = ''

/** The ids of the callees that a workload can be, by namespace, cluster and labels. */
export type CalleesOf = (party: Party) => readonly string[]

export function calleesOf(callees: readonly KnownCallee[], { index, selectorRule }: LayerContext): CalleesOf {
  const byNamespace = Map.groupBy(callees, ({ namespace }) => namespace)
  const known = new Map<string, readonly string[]>()
  const find = (party: Party): readonly string[] => {
    const labels = labelsOf(party, index, selectorRule)
    const nearby = party.namespace === '' ? callees : (byNamespace.get(party.namespace) ?? [])
    const found = nearby.map((callee) => ({
      id: callee.id,
      is: all(
        sameName(callee.cluster, party.cluster),
        sameName(callee.namespace, party.namespace),
        hasLabels(callee.labels, labels),
      ),
    }))
    const sure = found.some(({ is }) => is === 'yes')
    const possible = found.filter(({ is }) => is !== 'no').map(({ id }) => id)
    return sure ? possible : [...possible, NO_CALLEE]
  }
  return (party) => {
    const key = JSON.stringify([party.cluster, party.namespace, party.workload])
    const ids = known.get(key) ?? find(party)
    known.set(key, ids)
    return ids
  }
}
