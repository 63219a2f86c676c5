import type { Party } from '../../services/model/operation.ts'
import type { InventoryIndex } from '../inventory-index.ts'
import { type NamingRule, readLabels } from '../naming.ts'
import { every, fromBoolean, type Tri } from './tri.ts'

/** What is known of a callee's labels: all of them (inventory), or only those that a naming rule assumes. */
export interface KnownLabels {
  labels: Record<string, string>
  complete: boolean
}

export function labelsOf(callee: Party, index: InventoryIndex, rule: NamingRule | null): KnownLabels {
  const workload = index.workload(callee)
  if (workload) return { labels: workload.labels, complete: true }
  const { cluster, namespace } = callee
  const named = rule?.({ cluster, namespace, workload: callee.workload, serviceAccount: '' })
  return { labels: (named?.ok ? readLabels(named.value) : null) ?? {}, complete: false }
}

/** Whether a selector chooses the callee: labels that nobody told may be any. */
export function selectedBy(selector: Record<string, string>, known: KnownLabels): Tri {
  return every(Object.entries(selector), ([key, value]): Tri => {
    const own = known.labels[key]
    return own === undefined && !known.complete ? 'unknown' : fromBoolean(own === value)
  })
}

/** Whether a written name is the observed one, which may not be known. */
export function sameName(written: string, observed: string): Tri {
  return written === observed ? 'yes' : observed === '' ? 'unknown' : 'no'
}
