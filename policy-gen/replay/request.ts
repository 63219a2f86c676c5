import type { ObservedOperation } from '../../services/model/operation.ts'
import type { OperationUsers } from '../../services/model/users.ts'
import { assumedPrincipal } from '../callers.ts'
import type { InventoryIndex } from '../inventory-index.ts'
import { isPrincipal, type NamingRule } from '../naming.ts'
import { normalPath } from '../normal-path.ts'
import { readObservedPath } from '../observed-path.ts'
import type { KnownPath } from './paths.ts'
import type { Tri } from './tri.ts'

/** Who the callee's proxy takes the caller for: an identity, nobody (no mutual TLS), or we cannot tell. */
export type CallerIdentity = { is: 'known'; principal: string } | { is: 'none' } | { is: 'unknown' }

/** An observed operation as an enforcement point would see its requests. */
export interface ReplayRequest {
  caller: CallerIdentity
  /** Whether the requests came over mutual TLS. */
  mutualTls: Tri
  method: string
  path: KnownPath | { known: false; reason: string }
  /** The workload's port, 0 when neither the telemetry nor the inventory tells. */
  port: number
  /** What tokens told of the end users, null when nobody told. Differing ones are asked about one by one: `by-user.ts`. */
  users: OperationUsers | null
  tcp: boolean
  http: Tri
}

export function requestOf(
  operation: ObservedOperation,
  index: InventoryIndex,
  principalRule: NamingRule | null,
  routesOf: RoutesOf,
): ReplayRequest {
  const { protocol, mtls } = operation
  const caller = identityOf(operation, index, principalRule)
  return {
    caller,
    // An identity exists over mutual TLS only: who has one, seen or assumed, uses it.
    mutualTls: mtls === 'unknown' ? (caller.is === 'known' ? 'yes' : 'unknown') : mtls,
    method: operation.method || (protocol === 'grpc' ? 'POST' : ''),
    path: pathOf(operation, routesOf),
    port: index.workloadPort(operation),
    users: operation.users ?? null,
    tcp: protocol === 'tcp',
    http: protocol === 'http' || protocol === 'grpc' ? 'yes' : protocol === 'tcp' ? 'no' : 'unknown',
  }
}

function identityOf(operation: ObservedOperation, index: InventoryIndex, rule: NamingRule | null): CallerIdentity {
  if (operation.mtls === 'no') return { is: 'none' }
  if (operation.source.principal !== '') return { is: 'known', principal: operation.source.principal }
  const named = rule ? assumedPrincipal(operation, rule, index) : null
  return named?.ok && isPrincipal(named.value) ? { is: 'known', principal: named.value } : { is: 'unknown' }
}

function pathOf(operation: ObservedOperation, routesOf: RoutesOf): ReplayRequest['path'] {
  const path = readObservedPath(operation.path, operation.pathFlags)
  if (path.known && isOpen(path, operation)) return { known: false, reason: 'not a path as proxies write it' }
  if (!path.known || path.literal || !operation.pathFlags.includes('route')) return path
  return { ...path, otherRoutes: otherThan(routeText(path), routesOf(operation)) }
}

// Which of a shape's segments the proxy removed for a dot segment is not known; nor what it makes of what it may refuse.
function isOpen({ literal, text }: KnownPath, { pathFlags }: ObservedOperation): boolean {
  return literal ? text.startsWith('/') && normalPath(text) === null : pathFlags.includes('dot_segment')
}

/** The routes that a callee's framework reported for a method, parameters written as `{*}`. */
export type RoutesOf = (operation: ObservedOperation) => ReadonlySet<string>

/** Collects the reported routes: they tell of each other's requests which they were not. */
export function routesAmong(operations: readonly ObservedOperation[]): RoutesOf {
  const routes = new Map<string, Set<string>>()
  for (const operation of operations) {
    if (!operation.pathFlags.includes('route')) continue
    const path = readObservedPath(operation.path, operation.pathFlags)
    if (!path.known) continue
    const known = routes.get(routeKey(operation)) ?? new Set<string>()
    routes.set(routeKey(operation), known.add(routeText(path)))
  }
  return (operation) => routes.get(routeKey(operation)) ?? NO_ROUTES
}

const NO_ROUTES: ReadonlySet<string> = new Set()

function routeKey({ destination, method }: ObservedOperation): string {
  return JSON.stringify([destination.cluster, destination.namespace, destination.workload, method])
}

function routeText({ segments }: KnownPath): string {
  return segments.map((segment) => (segment.kind === 'literal' ? `/${segment.text}` : '/{*}')).join('')
}

function otherThan(own: string, routes: ReadonlySet<string>): ReadonlySet<string> {
  if (routes.size < 2) return NO_ROUTES
  const others = new Set(routes)
  others.delete(own)
  return others
}
