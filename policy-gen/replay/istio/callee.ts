import type { Party } from '../../../services/model/operation.ts'
import type { InventoryIndex } from '../../inventory-index.ts'
import type { NamingRule } from '../../naming.ts'
import { isExternal } from '../external.ts'
import { hasLabels, type KnownLabels, labelsOf, sameName } from '../selection.ts'
import { all, type Tri } from '../tri.ts'
import { type CompiledPolicy, compilePolicy } from './compile.ts'
import type { DocumentHead, IstioDocuments } from './documents.ts'
import type { Applicable, CalleePolicies } from './evaluate.ts'
import { mutualTlsOf } from './peers.ts'
import type { AuthorizationPolicy } from './read-authorization.ts'
import { underAliases } from './trust-domains.ts'

/** Istio's default root namespace: policies there hold in the whole mesh. */
export const ROOT_NAMESPACE = 'istio-system'

/** Finds what holds at a callee; answered once for each, since thousands of operations share a few hundred. */
export function policiesByCallee(
  documents: IstioDocuments,
  index: InventoryIndex,
  selectorRule: NamingRule | null,
): (callee: Party) => CalleePolicies {
  const compiledIn = compiledFor(documents.authorization, index)
  const authorization = Map.groupBy(documents.authorization, ({ namespace }) => namespace)
  const peers = Map.groupBy(documents.peers, ({ namespace }) => namespace)
  const requests = Map.groupBy(documents.tokens, ({ namespace }) => namespace)
  const known = new Map<string, CalleePolicies>()

  const around = <T>(map: Map<string, T[]>, all: T[], callee: Party): T[] => {
    if (callee.namespace === '') return all
    const own = callee.namespace === ROOT_NAMESPACE ? [] : (map.get(callee.namespace) ?? [])
    return [...own, ...(map.get(ROOT_NAMESPACE) ?? [])]
  }
  const build = (callee: Party): CalleePolicies => {
    const compiled = compiledIn(callee.cluster)
    // Policies hold at the callee's proxy; out there is none. A gateway's, bound to the name, may hold on the way.
    if (isExternal(callee)) return outside(documents.authorization, compiled)
    const labels = labelsOf(callee, index, selectorRule)
    const applicable = around(authorization, documents.authorization, callee).flatMap((document) => {
      const policy = compiled.get(document)
      const applies =
        document.targets.length > 0 ? ('unknown' as const) : appliesTo(document, document.selector, callee, labels)
      return policy && applies !== 'no' ? [{ policy, applies }] : []
    })
    const of = (action: string): Applicable[] => applicable.filter(({ policy }) => policy.action === action)
    const tokens = around(requests, documents.tokens, callee).flatMap((one) => {
      const applies = one.targets.length > 0 ? ('unknown' as const) : appliesTo(one, one.selector, callee, labels)
      return applies === 'no' || one.issuers.length === 0 ? [] : [{ issuers: one.issuers, applies }]
    })
    const nearby = around(peers, documents.peers, callee)
    const levels = [
      nearby.filter((peer) => hasSelector(peer.selector)),
      nearby.filter((peer) => !hasSelector(peer.selector) && peer.namespace !== ROOT_NAMESPACE),
      nearby.filter((peer) => !hasSelector(peer.selector) && peer.namespace === ROOT_NAMESPACE),
    ].map((level) => level.map((peer) => ({ peer, applies: appliesTo(peer, peer.selector, callee, labels) })))
    return { deny: of('DENY'), custom: of('CUSTOM'), allow: of('ALLOW'), mutualTls: mutualTlsOf(levels), tokens }
  }
  return (callee) => {
    const key = JSON.stringify([callee.cluster, callee.namespace, callee.workload])
    const policies = known.get(key) ?? build(callee)
    known.set(key, policies)
    return policies
  }
}

/** Policies as the proxies of a cluster get them, each compiled once for all clusters whose trust domains are the same. */
export function compiledFor(
  policies: readonly AuthorizationPolicy[],
  index: InventoryIndex,
): (cluster: string) => ReadonlyMap<AuthorizationPolicy, CompiledPolicy> {
  const known = new Map<string, ReadonlyMap<AuthorizationPolicy, CompiledPolicy>>()
  return (cluster) => {
    const names = index.trustDomains(cluster)
    const key = names.join()
    const found = known.get(key) ?? new Map(policies.map((one) => [one, compilePolicy(underAliases(one, names))]))
    known.set(key, found)
    return found
  }
}

function outside(
  documents: readonly AuthorizationPolicy[],
  compiled: ReadonlyMap<AuthorizationPolicy, CompiledPolicy>,
): CalleePolicies {
  const bound = documents.filter(({ targets }) => targets.length > 0)
  const of = (action: string): Applicable[] =>
    bound.flatMap((document) => {
      const policy = compiled.get(document)
      return policy?.action === action ? [{ policy, applies: 'unknown' as const }] : []
    })
  return { deny: of('DENY'), custom: of('CUSTOM'), allow: of('ALLOW'), mutualTls: mutualTlsOf([]), tokens: [] }
}

function hasSelector(selector: Record<string, string> | undefined): boolean {
  return selector !== undefined && Object.keys(selector).length > 0
}

function appliesTo(
  head: DocumentHead,
  selector: Record<string, string> | undefined,
  callee: Party,
  known: KnownLabels,
): Tri {
  const cluster = head.cluster === undefined ? 'yes' : sameName(head.cluster, callee.cluster)
  const namespace = head.namespace === ROOT_NAMESPACE ? 'yes' : sameName(head.namespace, callee.namespace)
  return all(cluster, namespace, hasLabels(selector ?? {}, known))
}
