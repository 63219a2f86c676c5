import type { ObservedOperation, Party } from '../../../services/model/operation.ts'
import { isExternal } from '../external.ts'
import { type Format, type LayerContext, layerOf, type Verdict } from '../layer.ts'
import type { ReplayRequest } from '../request.ts'
import { hasLabels, type KnownLabels, labelsOf, sameName } from '../selection.ts'
import { all, fromBoolean, some, type Tri } from '../tri.ts'
import { type Applicable, deployedRules } from './deployed.ts'
import { type Filter, isEnvoyRbac, type Proxies, readFilters } from './documents.ts'

/** RBAC filters of Envoy before a callee: a request must pass all that stand there. */
export const envoyRbac: Format = {
  id: 'envoy-rbac',
  read(set, context) {
    const mine = set.take(isEnvoyRbac)
    if (mine.length === 0) return null
    const { filters, ignored } = readFilters(mine)
    const filtersOf = filtersByCallee(filters, context)
    return { layer: layerOf((operation, request) => evaluate(filtersOf(operation), request)), ignored }
  },
  deployed(set, context) {
    const mine = set.take(isEnvoyRbac)
    if (mine.length === 0) return null
    const { filters, ignored } = readFilters(mine)
    return deployedRules(filters, filtersByCallee(filters, context), ignored)
  },
}

function filtersByCallee(filters: readonly Filter[], { index, selectorRule }: LayerContext) {
  const known = new Map<string, Applicable[]>()
  return ({ destination }: ObservedOperation): Applicable[] => {
    const key = JSON.stringify([destination.cluster, destination.namespace, destination.workload])
    const found = known.get(key)
    if (found) return found
    const labels = labelsOf(destination, index, selectorRule)
    const near = isExternal(destination) ? [] : filters
    const list = near.flatMap((filter) => {
      const applies = standsBefore(filter.proxies, destination, labels)
      return applies === 'no' ? [] : [{ filter, applies }]
    })
    known.set(key, list)
    return list
  }
}

function standsBefore({ cluster, namespace, selector, workloads }: Proxies, callee: Party, labels: KnownLabels): Tri {
  return all(
    cluster === undefined ? 'yes' : sameName(cluster, callee.cluster),
    sameName(namespace, callee.namespace),
    selector ? hasLabels(selector, labels) : 'yes',
    workloads ? some(workloads, (name) => sameName(name, callee.workload)) : 'yes',
  )
}

const NO_FILTER: Verdict = { allowed: 'yes', reason: 'no RBAC filter stands before the callee' }

function evaluate(filters: readonly Applicable[], request: ReplayRequest): Verdict {
  let open: Verdict | null = null
  let first: Verdict | null = null
  for (const { filter, applies } of filters) {
    const sees = all(applies, reaches(filter, request))
    if (sees === 'no') continue
    const verdict = filter.decide(request)
    if (verdict.allowed === 'no' && sees === 'yes') return verdict
    if (verdict.allowed === 'no')
      open ??= { allowed: 'unknown', reason: `not known: whether it passes the filter; ${verdict.reason}` }
    if (verdict.allowed === 'unknown') open ??= verdict
    first ??= verdict
  }
  return open ?? first ?? NO_FILTER
}

// The filter for HTTP stands where HTTP is read: plain TCP passes it by.
function reaches({ sees, proxies }: Filter, { http, port }: ReplayRequest): Tri {
  const listens = proxies.ports.size === 0 ? 'yes' : port === 0 ? 'unknown' : fromBoolean(proxies.ports.has(port))
  return all(sees === 'http' ? http : 'yes', listens)
}
