import type { Inventory, Service, Workload } from '../services/model/inventory.ts'
import { selects } from '../services/model/inventory.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import type { WorkloadReference } from '../services/model/permission.ts'
import { trustDomainsOf } from '../services/model/trust-domain.ts'

/** Workloads that are looked at behind one Service; of one that has more, nothing is told. */
const BEHIND_MAX = 16

/** A party as it was observed, with the Service that was asked where that was told. */
export type NamedReference = WorkloadReference & { service?: string }

/** Questions to the inventory, answered from maps: proposals and replays ask them once per operation. */
export interface InventoryIndex {
  /** The workload, or undefined when the inventory has none or several of that name. */
  workload(reference: WorkloadReference): Workload | undefined
  /**
   * The workloads that a name can stand for: its own or, where none is called so, those that the Service of that name selects. A log
   * without Pod names tells the Service that was asked, not which of its workloads answered. Empty where the inventory cannot tell.
   */
  behind(reference: NamedReference): Workload[]
  workloadsIn(cluster: string, namespace: string): Workload[]
  servicesOf(workload: Workload): Service[]
  /** The port that the callee listens on: as observed, else through its Service; 0 when neither tells. */
  workloadPort(operation: ObservedOperation): number
  /** The trust domains that mean one to a cluster's proxies; empty where that is not known. */
  trustDomains(cluster: string): readonly string[]
}

/** Indexes an inventory. An empty cluster, on either side, matches every cluster: single clusters often have no name. */
export function indexInventory(inventory: Inventory): InventoryIndex {
  const workloads = groupBy(inventory.workloads, (entry) => entry.namespace)
  const named = groupBy(inventory.workloads, (entry) => key(entry.namespace, entry.name))
  const services = groupBy(inventory.services, (entry) => entry.namespace)

  const workloadsNamed = (reference: WorkloadReference): Workload[] =>
    (named.get(key(reference.namespace, reference.workload)) ?? []).filter((entry) =>
      sameCluster(entry.cluster, reference.cluster),
    )
  const workload = (reference: WorkloadReference): Workload | undefined => {
    const found = workloadsNamed(reference)
    return found.length === 1 ? found[0] : undefined
  }
  const servicesOf = (entry: Workload): Service[] =>
    (services.get(entry.namespace) ?? []).filter(
      (service) =>
        sameCluster(service.cluster, entry.cluster) &&
        Object.keys(service.selector).length > 0 &&
        selects(service.selector, entry.labels),
    )
  const known = new Map<string, Workload[]>()
  const behind = (reference: NamedReference): Workload[] => {
    const { cluster, namespace, workload: name, service = '' } = reference
    const text = key(cluster, namespace, name, service)
    const found = known.get(text) ?? find(reference)
    known.set(text, found)
    return found
  }
  const find = (reference: NamedReference): Workload[] => {
    const own = workloadsNamed(reference)
    if (own.length > 0) return own.length === 1 ? own : []
    const asked = (services.get(reference.namespace) ?? []).filter(
      (service) =>
        service.name === reference.workload &&
        sameCluster(service.cluster, reference.cluster) &&
        (!reference.service || isNamed(service, reference.service)),
    )
    const [only] = asked
    if (!only || asked.length > 1 || Object.keys(only.selector).length === 0) return []
    const found = (workloads.get(only.namespace) ?? []).filter(
      (entry) => sameCluster(entry.cluster, only.cluster) && selects(only.selector, entry.labels),
    )
    return found.length > BEHIND_MAX ? [] : found
  }
  return {
    workload,
    behind,
    servicesOf,
    trustDomains: (cluster) => trustDomainsOf(inventory.trustDomains ?? [], cluster),
    workloadsIn: (cluster, namespace) =>
      (workloads.get(namespace) ?? []).filter((entry) => sameCluster(entry.cluster, cluster)),
    workloadPort: (operation) => {
      if (operation.workloadPort !== 0 || operation.servicePort === 0) return operation.workloadPort
      const callee = operation.destination
      const inNamespace = (services.get(callee.namespace) ?? []).filter((service) =>
        sameCluster(service.cluster, callee.cluster),
      )
      const byName = inNamespace.filter((service) => isNamed(service, callee.service))
      return portOf(byName.length > 0 ? byName : behind(callee).flatMap(servicesOf), operation.servicePort)
    },
  }
}

function portOf(services: Service[], servicePort: number): number {
  const ports = new Set(
    services.flatMap((service) =>
      service.ports.filter((port) => port.servicePort === servicePort).map((port) => port.workloadPort),
    ),
  )
  const [only = 0] = ports
  return ports.size === 1 ? only : 0
}

function isNamed(service: Service, name: string): boolean {
  const [first = '', namespace] = name.split('.')
  return first === service.name && (namespace === undefined || namespace === service.namespace)
}

export function sameCluster(left: string, right: string): boolean {
  return left === '' || right === '' || left === right
}

function key(...parts: string[]): string {
  return JSON.stringify(parts)
}

function groupBy<T>(entries: readonly T[], keyOf: (entry: T) => string): Map<string, T[]> {
  return Map.groupBy(entries, keyOf)
}
