import type { ObservedOperation, Party } from '../../../services/model/operation.ts'
import { namespaceOf } from '../../callers.ts'
import { isAmong, labelledAmbient } from '../../data-plane.ts'
import { serviceAsked } from '../declared.ts'
import { isExternal } from '../external.ts'
import { type Format, type LayerContext, layerOf, type Verdict } from '../layer.ts'
import type { ReplayRequest } from '../request.ts'
import { hasLabels, labelsOf, sameName } from '../selection.ts'
import { all, fromBoolean, some, type Tri } from '../tri.ts'
import {
  type EgressDocuments,
  type HostPattern,
  isIstioEgress,
  readEgress,
  type ServiceEntry,
  type Sidecar,
} from './documents.ts'

/** Where a Sidecar holds for every namespace that has none. */
const ROOT_NAMESPACE = 'istio-system'

/**
 * Istio's Sidecar and ServiceEntry: what the caller's own proxy lets out. With REGISTRY_ONLY it knows what it imports and nothing else.
 * That is no barrier to an application that goes around its proxy: Istio says so, and so does the target's README.
 */
export const istioEgress: Format = {
  id: 'istio-egress',
  read(set, context) {
    const mine = set.take(isIstioEgress)
    if (mine.length === 0) return null
    const documents = readEgress(mine)
    return { layer: layerOf((operation, request) => decide(operation, request, documents, context)), ignored: [] }
  },
}

function decide(
  asked: ObservedOperation,
  request: ReplayRequest,
  { sidecars, entries }: EgressDocuments,
  context: LayerContext,
): Verdict {
  const operation = { ...asked, source: { ...asked.source, namespace: namespaceOf(asked.source) } }
  const outward = isExternal(operation.destination)
  // A caller without a sidecar has no proxy that could ask; to the outside, mutual TLS tells nothing of that.
  if (!outward && request.caller.is === 'none') return yes('the caller has no sidecar')
  if (isAmbient(operation.source, context)) return yes('no Sidecar holds in ambient mode')
  const { candidates, sure } = holding(sidecars, operation.source, context)
  const answers = candidates.map((sidecar): Tri => {
    if (sidecar.mode !== 'REGISTRY_ONLY') return 'yes'
    if (sidecar.partial) return 'unknown'
    return outward ? knowsHost(sidecar, operation, entries) : knowsService(sidecar, operation)
  })
  const limiting = candidates.filter(({ mode }) => mode === 'REGISTRY_ONLY').map(({ id }) => id)
  if (limiting.length === 0) return yes('no Sidecar limits where the caller may call')
  // Where none holds, the mesh lets everything out.
  const all = new Set([...answers, ...(sure ? [] : ['yes'])])
  const ids = limiting.join(', ')
  if (all.size > 1) return unknown(`whether ${ids} holds at the caller`)
  if (all.has('yes')) return yes(`known by ${ids}`)
  if (all.has('unknown')) return unknown(`whether ${ids} knows the callee`)
  const hasProxy = outward || request.mutualTls === 'yes'
  return hasProxy ? { allowed: 'no', reason: `unknown to ${ids}` } : unknown('whether the caller has a sidecar')
}

const yes = (reason: string): Verdict => ({ allowed: 'yes', reason })
const unknown = (what: string): Verdict => ({ allowed: 'unknown', reason: `not known: ${what}` })

function isAmbient(source: Party, { index, ambient }: LayerContext): boolean {
  return labelledAmbient(index.workload(source)?.labels ?? {}) ?? isAmong(ambient, source.namespace)
}

/**
 * The Sidecars of which one holds for a caller: one that selects it, else its namespace's, else the mesh's.
 *
 * @returns whether one of them does for sure, beside those that may
 */
function holding(
  sidecars: readonly Sidecar[],
  source: Party,
  { index, selectorRule }: LayerContext,
): { candidates: Sidecar[]; sure: boolean } {
  const labels = labelsOf(source, index, selectorRule)
  const candidates = new Set<Sidecar>()
  const within = ({ cluster }: Sidecar): Tri => (cluster === undefined ? 'yes' : sameName(cluster, source.cluster))
  const here = (one: Sidecar): Tri => all(within(one), sameName(one.namespace, source.namespace))
  const levels = [
    (one: Sidecar): Tri => (one.selector ? all(here(one), hasLabels(one.selector, labels)) : 'no'),
    (one: Sidecar): Tri => (one.selector ? 'no' : here(one)),
    (one: Sidecar): Tri => (one.selector || one.namespace !== ROOT_NAMESPACE ? 'no' : within(one)),
  ]
  for (const holds of levels) {
    for (const one of sidecars) if (holds(one) !== 'no') candidates.add(one)
    if (sidecars.some((one) => holds(one) === 'yes')) return { candidates: [...candidates], sure: true }
  }
  return { candidates: [...candidates], sure: false }
}

function knowsHost(
  sidecar: Sidecar,
  { source, destination, servicePort }: ObservedOperation,
  entries: readonly ServiceEntry[],
): Tri {
  const host = destination.id.slice('external:'.length).toLowerCase()
  const within = source.namespace
  return some(entries, (entry) => {
    const seen = entry.exportTo.some((to) => to === '*' || to === within || (to === '.' && entry.namespace === within))
    const named = entry.hosts.some(
      (written) => isCovered(host, written) && imports(sidecar, entry.namespace, written, within),
    )
    if (!seen || !named) return 'no'
    const cluster = entry.cluster === undefined ? 'yes' : sameName(entry.cluster, source.cluster)
    return all(cluster, servicePort === 0 ? 'unknown' : fromBoolean(entry.ports.includes(servicePort)))
  })
}

function knowsService(sidecar: Sidecar, { source, destination }: ObservedOperation): Tri {
  const asked = serviceAsked(destination)
  const namespace = asked?.namespace || destination.namespace
  if (namespace === '') return 'unknown'
  return some(sidecar.hosts, (pattern): Tri => {
    if (!isNamespace(pattern, namespace, source.namespace)) return 'no'
    const services = `*.${namespace}.svc.cluster.local`
    if (isCovered(services, pattern.dnsName)) return 'yes'
    if (asked) return fromBoolean(isCovered(`${asked.name}.${namespace}.svc.cluster.local`, pattern.dnsName))
    return pattern.dnsName.endsWith(services.slice(1)) ? 'unknown' : 'no'
  })
}

function imports({ hosts }: Sidecar, namespace: string, host: string, within: string): boolean {
  return hosts.some((pattern) => isNamespace(pattern, namespace, within) && isCovered(host, pattern.dnsName))
}

function isNamespace(pattern: HostPattern, namespace: string, within: string): boolean {
  return pattern.namespace === '*' || (pattern.namespace === '.' ? within : pattern.namespace) === namespace
}

/** Whether a name, or all that a name with a star stands for, is within another. */
function isCovered(name: string, by: string): boolean {
  if (by === '*' || by.toLowerCase() === name) return true
  return by.startsWith('*.') && name.endsWith(by.slice(1).toLowerCase())
}
