import type { Reporter } from '../../model/evidence.ts'
import { type Inventory, selects, type Workload } from '../../model/inventory.ts'

/** Names of the services that lead to a workload, without their namespace. */
export function servicesOf(inventory: Inventory): (workload: Workload) => string[] {
  const byNamespace = Map.groupBy(
    inventory.services.filter(({ selector }) => Object.keys(selector).length > 0),
    ({ namespace }) => namespace,
  )
  return ({ namespace, cluster, labels }) =>
    (byNamespace.get(namespace) ?? [])
      .filter((service) => service.cluster === cluster || service.cluster === '' || cluster === '')
      .filter(({ selector }) => selects(selector, labels))
      .map(({ name }) => name)
}

/**
 * The service by which a proxy's own span names itself: Istio's proxies write `orders.shop` as their `service.name` (canonical
 * service and namespace) and no namespace beside it. Undefined for what is none.
 */
export function spanService(reporter: Reporter, namespace: string, workload: string): string | undefined {
  return reporter === 'span' && namespace === '' && /^[^.]+\.[^.]+$/.test(workload) ? workload : undefined
}

/** Entries by key, where `choose` finds one that stands for all that share the key; ambiguous keys are left out. */
export function unique<T>(
  entries: readonly T[],
  keysOf: (entry: T) => string[],
  choose: (key: string, entries: T[]) => T | undefined,
): Map<string, T> {
  const groups = new Map<string, T[]>()
  for (const entry of entries)
    for (const key of keysOf(entry)) {
      const group = groups.get(key)
      if (group) group.push(entry)
      else groups.set(key, [entry])
    }
  const found = [...groups].map(([key, group]) => [key, choose(key, group)] as const)
  return new Map(found.filter((pair): pair is [string, T] => pair[1] !== undefined))
}

/** For `unique`: entries stand for each other where their values are alike. */
export function same<T>(textOf: (entry: T) => string): (key: string, entries: T[]) => T | undefined {
  return (_, entries) => (new Set(entries.map(textOf)).size === 1 ? entries[0] : undefined)
}
