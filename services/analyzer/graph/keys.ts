import { parsePrincipal, workloadId } from '../../model/identity.ts'
import type { Inventory, Workload } from '../../model/inventory.ts'
import type { EdgeRow } from '../../store/queries/rollups.ts'
import { same, servicesOf, spanService, unique } from './names.ts'

/**
 * Keys of the two ends of a row by which rows of several channels and reporters meet, whatever each of them calls an end: a caller
 * is its account, a callee its service. They decide which rows tell of the same calls, never what an end is called.
 */
export interface Keys {
  caller(row: EdgeRow): string
  callee(row: EdgeRow): string
  /** Of the gateway that logged the row. */
  gateway(row: EdgeRow): string
}

/** Prepares keys from what callees tell of themselves and from the inventory; what is ambiguous there joins nothing. */
export function createKeys(rows: readonly EdgeRow[], inventory: Inventory): Keys {
  const own = rows.filter((row) => row.reporter === 'destination')
  const serviceOfWorkload = tellingBoth(own, workloadOf, (row) => row.destination_service)
  const serviceOfPrincipal = tellingBoth(
    own,
    (row) => row.destination_principal,
    (row) => row.destination_service,
  )
  const principalOfService = tellingBoth(
    own,
    (row) => row.destination_service,
    (row) => row.destination_principal,
  )
  const principalOfWorkload = tellingBoth(own, workloadOf, (row) => row.destination_principal)
  const declared = declaredNames(inventory)

  const account = (principal: string) => {
    const identity = parsePrincipal(principal)
    return identity ? `account:${identity.namespace}/${identity.serviceAccount}` : `principal:${principal}`
  }
  const accountOfWorkload = (workload: string) => {
    const principal = principalOfWorkload.get(workload)
    const declaredAccount = declared.accountOfWorkload.get(workload)
    if (principal !== undefined) return account(principal)
    return declaredAccount === undefined ? `workload:${workload}` : `account:${declaredAccount}`
  }
  const accountOfService = (service: string) => {
    const principal = principalOfService.get(service)
    const declaredAccount = declared.accountOfService.get(service) ?? declared.accountOfLabel.get(service)
    if (principal !== undefined) return account(principal)
    return declaredAccount === undefined ? `service:${service}` : `account:${declaredAccount}`
  }
  const serviceOf = (workload: string) => {
    const service = serviceOfWorkload.get(workload) ?? declared.serviceOfWorkload.get(workload)
    return service === undefined ? `workload:${workload}` : `service:${service}`
  }
  const named = (row: EdgeRow) => {
    const span = spanService(row.reporter, row.destination_namespace, row.destination_workload)
    if (span !== undefined) return `service:${span}`
    if (row.destination_workload !== '') return serviceOf(workloadOf(row))
    const service = serviceOfPrincipal.get(row.destination_principal)
    if (service !== undefined) return `service:${service}`
    const workload = declared.workloadOfAccount.get(account(row.destination_principal))
    if (workload !== undefined) return serviceOf(workload)
    return row.destination_principal === '' ? `address:${row.destination_address}` : account(row.destination_principal)
  }
  return {
    caller: (row) => {
      if (row.source_principal !== '') return account(row.source_principal)
      const span = spanService(row.reporter, row.source_namespace, row.source_workload)
      if (span !== undefined) return accountOfService(span)
      if (row.source_workload !== '') return accountOfWorkload(workloadId(row.source_namespace, row.source_workload))
      if (row.source_service) return accountOfService(row.source_service)
      return `address:${row.source_address}`
    },
    callee: (row) => {
      if (row.destination_service === '')
        return row.reporter === 'gateway' && row.destination_address !== '::'
          ? `address:${row.destination_address}`
          : named(row)
      return `${row.destination_kind === 'external' ? 'external' : 'service'}:${row.destination_service}`
    },
    gateway: (row) =>
      row.gateway_service && row.destination_workload === '' && row.destination_principal === ''
        ? `service:${row.gateway_service}`
        : named(row),
  }
}

const workloadOf = (row: EdgeRow) =>
  row.destination_workload === '' ? '' : workloadId(row.destination_namespace, row.destination_workload)

/** One name by another where rows tell both, and always the same. */
function tellingBoth(
  rows: readonly EdgeRow[],
  keyOf: (row: EdgeRow) => string,
  textOf: (row: EdgeRow) => string,
): Map<string, string> {
  const both = rows.filter((row) => keyOf(row) !== '' && textOf(row) !== '')
  const found = unique(both, (row) => [keyOf(row)], same(textOf))
  return new Map([...found].map(([key, row]) => [key, textOf(row)]))
}

function declaredNames(inventory: Inventory) {
  const services = servicesOf(inventory)
  const pairs = inventory.workloads.flatMap((workload) =>
    services(workload).map((name) => ({ workload, service: `${name}.${workload.namespace}` })),
  )
  const idOf = (workload: Workload) => workloadId(workload.namespace, workload.name)
  const accountOf = (workload: Workload) => `${workload.namespace}/${workload.serviceAccount}`
  const texts = <T>(found: Map<string, T>, textOf: (entry: T) => string) =>
    new Map([...found].map(([key, entry]) => [key, textOf(entry)]))
  const withAccount = inventory.workloads.filter(({ serviceAccount }) => serviceAccount !== '')
  return {
    accountOfWorkload: texts(
      unique(withAccount, (workload) => [idOf(workload)], same(accountOf)),
      accountOf,
    ),
    // A proxy that no Service leads to still names itself by its label: `istio-ingressgateway.istio-system`.
    accountOfLabel: texts(
      unique(withAccount, ({ namespace, labels }) => [`${labels['app'] ?? ''}.${namespace}`], same(accountOf)),
      accountOf,
    ),
    workloadOfAccount: texts(
      unique(withAccount, (workload) => [`account:${accountOf(workload)}`], same(idOf)),
      idOf,
    ),
    serviceOfWorkload: texts(
      unique(
        pairs,
        ({ workload }) => [idOf(workload)],
        same(({ service }) => service),
      ),
      ({ service }) => service,
    ),
    accountOfService: texts(
      unique(
        pairs,
        ({ service }) => [service],
        same(({ workload }) => accountOf(workload)),
      ),
      ({ workload }) => accountOf(workload),
    ),
  }
}
