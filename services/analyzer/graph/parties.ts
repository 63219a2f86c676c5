import type { GraphNode } from '../../model/graph.ts'
import { parsePrincipal, principalId, workloadId } from '../../model/identity.ts'
import type { Inventory, Workload } from '../../model/inventory.ts'
import { underOneTrustDomain } from '../../model/trust-domain.ts'
import type { EdgeRow } from '../../store/queries/rollups.ts'
import { same, servicesOf, spanService, unique } from './names.ts'

/** Names the two ends of a rollup's row. */
export interface Parties {
  /** Undefined where nobody named the caller and no address tells. */
  source(row: EdgeRow): GraphNode | undefined
  destination(row: EdgeRow): GraphNode
  /** The gateway that logged the row: its workload, its identity or its address; undefined where the line does not tell. */
  gateway(row: EdgeRow): GraphNode | undefined
}

/**
 * Prepares naming: an end is the workload that a reporter named, else the one that the inventory gives for its service or
 * identity, else the identity itself, else the service or address. What rows tell of each other is used too: a callee that
 * one reporter knows by service and another by principal is one. Trust domains that a mesh takes for one are read as one.
 */
export function createParties(rows: readonly EdgeRow[], inventory: Inventory): Parties {
  const { trustDomains = [] } = inventory
  if (trustDomains.every(({ names }) => names.length < 2)) return partiesOf(rows, inventory)
  const underOne = underOneTrustDomain(trustDomains)
  const read = (row: EdgeRow): EdgeRow => ({
    ...row,
    source_principal: underOne(row.source_principal),
    destination_principal: underOne(row.destination_principal),
  })
  const { source, destination, gateway } = partiesOf(rows.map(read), inventory)
  return {
    source: (row) => source(read(row)),
    destination: (row) => destination(read(row)),
    gateway: (row) => gateway(read(row)),
  }
}

function partiesOf(rows: readonly EdgeRow[], inventory: Inventory): Parties {
  const { byPrincipal, byService, bySpan, principalOfService } = createNodes(rows, inventory)
  return {
    gateway: (row) => {
      if (row.reporter !== 'gateway') return undefined
      if (row.destination_workload !== '')
        return workloadNode(row.destination_namespace, row.destination_workload, row.destination_principal)
      if (row.destination_principal !== '') return byPrincipal(row.destination_principal)
      if (row.gateway_service) return byService(row.gateway_service, '')
      return row.destination_service === '' || row.destination_address === '::'
        ? undefined
        : addressNode(row.destination_address)
    },
    source: (row) => {
      const span = spanService(row.reporter, row.source_namespace, row.source_workload)
      if (span !== undefined) return bySpan(span)
      if (row.source_workload !== '')
        return workloadNode(row.source_namespace, row.source_workload, row.source_principal)
      if (row.source_principal !== '') return byPrincipal(row.source_principal)
      if (row.source_service) return byService(row.source_service, '')
      return row.source_address === '::' ? undefined : addressNode(row.source_address)
    },
    destination: (row) => {
      const span = spanService(row.reporter, row.destination_namespace, row.destination_workload)
      if (span !== undefined) return bySpan(span)
      // A gateway's own name, but where nobody is told of behind it: it refused a request before it chose.
      const isItself = row.destination_service === '' && row.destination_address === '::'
      if (row.destination_workload !== '' && (row.reporter !== 'gateway' || isItself))
        return workloadNode(row.destination_namespace, row.destination_workload, row.destination_principal)
      if (row.destination_kind === 'external' && row.destination_service !== '')
        return externalNode(row.destination_service)
      if (row.destination_service !== '')
        return byService(
          row.destination_service,
          (row.reporter === 'gateway' ? '' : row.destination_principal) ||
            (principalOfService.get(row.destination_service)?.destination_principal ?? ''),
        )
      if (row.reporter === 'gateway' && row.destination_address !== '::') return addressNode(row.destination_address)
      if (row.destination_principal !== '') return byPrincipal(row.destination_principal)
      return addressNode(row.destination_address)
    },
  }
}

/** Nodes by what a row calls them. */
function createNodes(rows: readonly EdgeRow[], inventory: Inventory) {
  const workloadOfAccount = unique(
    inventory.workloads,
    (workload) => [`${workload.namespace}/${workload.serviceAccount}`],
    same(({ name }) => name),
  )
  const services = servicesOf(inventory)
  const workloadOfService = unique(
    inventory.workloads,
    (workload) => services(workload).map((name) => `${workload.namespace}/${name}`),
    (key, workloads) => preferNamesake(key, workloads),
  )
  // A gateway's line names the service behind it beside the gateway's own identity: only callees tell of themselves.
  const ofThemselves = rows.filter(
    (row) => row.reporter === 'destination' && row.destination_principal !== '' && row.destination_service !== '',
  )
  const principalOfService = unique(
    ofThemselves,
    (row) => [row.destination_service],
    same((row) => row.destination_principal),
  )
  const serviceOfPrincipal = unique(
    ofThemselves,
    (row) => [row.destination_principal],
    same((row) => row.destination_service),
  )
  const knownServices = new Set([
    ...rows.map((row) => row.destination_service),
    ...inventory.services.map(({ name, namespace }) => `${name}.${namespace}`),
  ])
  const workloadOfLabel = unique(
    inventory.workloads,
    ({ namespace, labels }) => (labels['app'] ? [`${namespace}/${labels['app']}`] : []),
    same(({ name }) => name),
  )

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
  const bySpan = (service: string): GraphNode => {
    const [name = '', namespace = ''] = service.split('.')
    const isKnown = knownServices.has(service)
    const labelled = workloadOfLabel.get(`${namespace}/${name}`)
    if (isKnown || !labelled) return isKnown ? byService(service, '') : workloadNode('', service, '')
    return workloadNode(labelled.namespace, labelled.name, '')
  }
  return { byPrincipal, byService, bySpan, principalOfService }
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

/** The same workload in two clusters is one; of several versions behind a service, the one with the service's name. */
function preferNamesake(key: string, workloads: Workload[]): Workload | undefined {
  const names = new Set(workloads.map((workload) => workload.name))
  return names.size === 1 ? workloads[0] : workloads.find((workload) => key.endsWith(`/${workload.name}`))
}
