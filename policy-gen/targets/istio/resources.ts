import type { Callee } from '../../../services/model/permission.ts'
import { digest } from '../../grants/names.ts'
import type { GrantProduct, Rule } from '../../grants/rules.ts'
import { istioText } from './paths.ts'

/** Istio's own bound on the rules of a policy and on the sources of a rule (its API, `maxItems`). */
export const ISTIO_ITEMS_MAX = 512

/** Where a policy without a selector holds for the whole mesh, and one with a selector in every namespace. */
export const ROOT_NAMESPACE = 'istio-system'

/** Says to replay, and to nobody else, in which cluster a file is applied. */
export const CLUSTER_ANNOTATION = 'cinch.cluster'

interface Metadata {
  name: string
  namespace: string
  annotations?: Record<string, string>
}

export function metadataOf(name: string, callee: Pick<Callee, 'namespace' | 'cluster'>, clustered: boolean): Metadata {
  const annotations = clustered ? { annotations: { [CLUSTER_ANNOTATION]: callee.cluster } } : {}
  return { name, namespace: callee.namespace, ...annotations }
}

/** What a policy holds for: workloads by their labels, or what a waypoint stands in front of. */
export type Binding =
  | { selector: { matchLabels: Record<string, string> } }
  | { targetRefs: { group: string; kind: string; name: string }[] }

export function toWorkload({ selector }: Callee): Binding {
  return { selector: { matchLabels: selector } }
}

/** One AuthorizationPolicy, or several where a callee has more rules than one may hold. */
export function allowPolicies(
  callee: Callee,
  name: string,
  rules: readonly Rule[],
  clustered: boolean,
  binding: Binding = toWorkload(callee),
): unknown[] {
  const parts = chunks(rules.flatMap(splitLongRule), ISTIO_ITEMS_MAX)
  return parts.map((part, index) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: metadataOf(index === 0 ? name : `${name}-part${index + 1}-${digest(name)}`, callee, clustered),
    spec: { ...binding, action: 'ALLOW', rules: part.map(ruleResource) },
  }))
}

export function peerAuthentication(callee: Callee, name: string, clustered: boolean): unknown {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: metadataOf(name, callee, clustered),
    spec: {
      selector: { matchLabels: callee.selector },
      mtls: { mode: callee.plaintextRequests > 0 ? 'PERMISSIVE' : 'STRICT' },
    },
  }
}

/** A policy without rules allows nothing: what no other allows in the namespace, or at the waypoint, is denied. */
export function defaultDeny(callee: Callee, clustered: boolean, waypoint?: Binding): unknown {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: metadataOf(waypoint ? 'cinch-default-deny-waypoint' : 'cinch-default-deny', callee, clustered),
    spec: waypoint ?? {},
  }
}

function splitLongRule(rule: Rule): Rule[] {
  return chunks(rule.to, ISTIO_ITEMS_MAX).flatMap((to) =>
    chunks(rule.principals, ISTIO_ITEMS_MAX * ISTIO_ITEMS_MAX).map((principals) => ({
      principals,
      to,
      when: rule.when,
    })),
  )
}

function ruleResource({ principals, to, when }: Rule): unknown {
  const from = chunks(principals, ISTIO_ITEMS_MAX).map((part) => ({ source: { principals: part } }))
  const operations = to.map(operationResource).filter((operation) => operation !== null)
  return { from, ...(operations.length > 0 ? { to: operations } : {}), ...(when.length > 0 ? { when } : {}) }
}

function operationResource({ ports, methods, paths, notPaths }: GrantProduct): unknown {
  const operation = {
    ...(ports.length > 0 ? { ports: ports.map(String) } : {}),
    ...(methods.length > 0 ? { methods } : {}),
    ...(paths.length > 0 ? { paths: paths.map(istioText) } : {}),
    ...(notPaths.length > 0 ? { notPaths: notPaths.map(istioText) } : {}),
  }
  return Object.keys(operation).length > 0 ? { operation } : null
}

function chunks<T>(items: T[], size: number): T[][] {
  const parts: T[][] = []
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size))
  return parts
}
