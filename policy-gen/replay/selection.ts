import type { Party } from '../../services/model/operation.ts'
import type { InventoryIndex } from '../inventory-index.ts'
import { type NamingRule, readLabels } from '../naming.ts'
import { every, fromBoolean, type Tri } from './tri.ts'

/** What is known of a workload's labels: all of them (inventory), or only those that a naming rule assumes. */
export interface KnownLabels {
  labels: Record<string, string>
  complete: boolean
}

export function labelsOf(party: Party, index: InventoryIndex, rule: NamingRule | null): KnownLabels {
  const found = index.workload(party)
  if (found) return { labels: found.labels, complete: true }
  const { cluster, namespace, workload } = party
  const named = rule?.({ cluster, namespace, workload, serviceAccount: '' })
  return { labels: (named?.ok ? readLabels(named.value) : null) ?? {}, complete: false }
}

/** Kubernetes `matchLabels`: an empty selector selects everything. */
export function hasLabels(selector: Record<string, string>, known: KnownLabels): Tri {
  return every(Object.entries(selector), ([key, value]): Tri => {
    const own = known.labels[key]
    return own === undefined && !known.complete ? 'unknown' : fromBoolean(own === value)
  })
}

/** A namespace or cluster as policies write it, against the one that was observed, which may not be known. */
export function sameName(written: string, observed: string): Tri {
  return written === observed ? 'yes' : observed === '' ? 'unknown' : 'no'
}
