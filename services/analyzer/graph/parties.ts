import type { GraphNode } from '../../model/graph.ts'
import { parsePrincipal, principalId, workloadId } from '../../model/identity.ts'
import { type Inventory, selects, type Workload } from '../../model/inventory.ts'
import type { EdgeRow } from '../../store/queries/rollups.ts'

/** Names the two ends of a rollup's row. */
export interface Parties {
  /** Undefined where nobody named the caller and no address tells. */
  source(row: EdgeRow): GraphNode | undefined
  destination(row: EdgeRow): GraphNode
  /** The gateway that logged the row, by the identity that it showed; undefined where the line does not tell. */
  gateway(row: EdgeRow): GraphNode | undefined
}

/**
 * Prepares naming: an end is the workload that a reporter named, else the one that the inventory gives for its service or
 * identity, else the identity itself, else the service or address. What rows tell of each other is used too: a callee that
 * one reporter knows by service and another by principal is one.
 */
export function createParties(rows: readonly EdgeRow[], inventory: Inventory): Parties {
  const workloadOfAccount = unique(inventory.workloads, (workload) => [
    `${workload.namespace}/${workload.serviceAccount}`,
  ])
  const workloadOfService = unique(
    inventory.workloads,
    (workload) => servicesOf(workload, inventory).map((name) => `${workload.namespace}/${name}`),
    (key, workloads) => preferNamesake(key, workloads),
  )
  // A gateway's line names the service behind it beside the gateway's own identity: only callees tell of themselves.
  const ofThemselves = rows.filter(
    (row) => row.reporter === 'destination' && row.destination_principal !== '' && row.destination_service !== '',
  )
  const principalOfService = unique(ofThemselves, (row) => [row.destination_service], sameIdentity)
  const serviceOfPrincipal = unique(ofThemselves, (row) => [row.destination_principal], sameService)

  const byPrincipal = (principal: string): GraphNode => {
    const identity = parsePrincipal(principal)
    const workload = identity && workloadOfAccount.get(`${identity.namespace}/${identity.serviceAccount}`)
    if (workload) return workloadNode(workload.namespace, workload.name, principal)
    const service = serviceOfPrincipal.get(principal)?.destination_service
    const named = service === undefined ? undefined : byService(service, principal)
    if (named) return named
    return {
      id: principalId(principal),
      kind: 'workload',
      name: identity?.serviceAccount ?? principal,
      namespace: identity?.namespace ?? '',
      workload: '',
      cluster: '',
      principal,
    }
  }
  const byService = (service: string, principal: string): GraphNode => {
    const [name = '', namespace = ''] = service.split('.')
    const workload = workloadOfService.get(`${namespace}/${name}`)
    if (workload) return workloadNode(workload.namespace, workload.name, principal)
    // No inventory: the service's own name stands for the workload, and a policy needs a selector rule for it.
    return { id: workloadId(namespace, name), kind: 'service', name, namespace, workload: name, cluster: '', principal }
  }
  return {
    gateway: (row) =>
      row.reporter === 'gateway' && row.destination_principal !== ''
        ? byPrincipal(row.destination_principal)
        : undefined,
    source: (row) => {
      if (row.source_workload !== '')
        return workloadNode(row.source_namespace, row.source_workload, row.source_principal)
      if (row.source_principal !== '') return byPrincipal(row.source_principal)
      return row.source_address === '::' ? undefined : addressNode(row.source_address)
    },
    destination: (row) => {
      if (row.destination_workload !== '')
        return workloadNode(row.destination_namespace, row.destination_workload, row.destination_principal)
      if (row.destination_kind === 'external' && row.destination_service !== '')
        return externalNode(row.destination_service)
      if (row.destination_service !== '')
        return byService(
          row.destination_service,
          row.destination_principal || (principalOfService.get(row.destination_service)?.destination_principal ?? ''),
        )
      if (row.destination_principal !== '') return byPrincipal(row.destination_principal)
      return addressNode(row.destination_address)
    },
  }
}

function workloadNode(namespace: string, workload: string, principal: string): GraphNode {
  return {
    id: workloadId(namespace, workload),
    kind: 'workload',
    name: workload,
    namespace,
    workload,
    cluster: '',
    principal,
  }
}

function externalNode(host: string): GraphNode {
  return {
    id: `external:${host}`,
    kind: 'external',
    name: host,
    namespace: '',
    workload: '',
    cluster: '',
    principal: '',
  }
}

function addressNode(address: string): GraphNode {
  const plain = address.replace(/^::ffff:/, '')
  return {
    id: `address:${plain}`,
    kind: 'address',
    name: plain,
    namespace: '',
    workload: '',
    cluster: '',
    principal: '',
  }
}

function servicesOf(workload: Workload, inventory: Inventory): string[] {
  return inventory.services
    .filter(
      (service) =>
        service.namespace === workload.namespace &&
        (service.cluster === workload.cluster || service.cluster === '' || workload.cluster === ''),
    )
    .filter((service) => Object.keys(service.selector).length > 0 && selects(service.selector, workload.labels))
    .map((service) => service.name)
}

/** The same workload in two clusters is one; of several versions behind a service, the one with the service's name. */
function preferNamesake(key: string, workloads: Workload[]): Workload | undefined {
  const names = new Set(workloads.map((workload) => workload.name))
  return names.size === 1 ? workloads[0] : workloads.find((workload) => key.endsWith(`/${workload.name}`))
}

function sameIdentity(_: string, rows: EdgeRow[]): EdgeRow | undefined {
  return new Set(rows.map((row) => row.destination_principal)).size === 1 ? rows[0] : undefined
}

function sameService(_: string, rows: EdgeRow[]): EdgeRow | undefined {
  return new Set(rows.map((row) => row.destination_service)).size === 1 ? rows[0] : undefined
}

function sameName(_: string, workloads: Workload[]): Workload | undefined {
  return new Set(workloads.map((workload) => workload.name)).size === 1 ? workloads[0] : undefined
}

/** Entries by key, where `choose` finds one that stands for all that share the key; ambiguous keys are left out. */
function unique<T>(
  entries: readonly T[],
  keysOf: (entry: T) => string[],
  choose: (key: string, entries: T[]) => T | undefined = sameName as never,
): Map<string, T> {
  const groups = new Map<string, T[]>()
  for (const entry of entries) for (const key of keysOf(entry)) groups.set(key, [...(groups.get(key) ?? []), entry])
  const found = [...groups].map(([key, group]) => [key, choose(key, group)] as const)
  return new Map(found.filter((pair): pair is [string, T] => pair[1] !== undefined))
}
