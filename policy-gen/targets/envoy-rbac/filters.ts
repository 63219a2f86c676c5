import type { Callee } from '../../../services/model/permission.ts'
import { digest } from '../../grants/names.ts'
import type { Grant, Rule } from '../../grants/rules.ts'
import { isHttp, rulesOf } from '../../grants/rules.ts'
import { permissionOf, principalsOf } from './matchers.ts'

/** `enforce` decides; `shadow` only counts and logs what would have been decided. */
export type Delivery = 'shadow' | 'enforce'

const TYPE = 'type.googleapis.com/envoy.extensions.filters'
/** Envoy sorts policies by name; the part of a name that tells plain rules from those of HTTP. */
const KINDS = { plain: 'any request', http: 'http' }

/** Whose proxies the filters of a file are for: the head document. */
export function headOf(callee: Callee, clustered: boolean, ports: readonly number[] = []): unknown {
  return {
    proxies: {
      ...(clustered ? { cluster: callee.cluster } : {}),
      namespace: callee.namespace,
      selector: callee.selector,
      ...(ports.length > 0 ? { ports } : {}),
    },
  }
}

/** The HTTP filter. A callee of which nothing can be granted gets an empty list of policies: it denies everything. */
export function httpFilter(grants: ReadonlyMap<string, readonly Grant[]>, delivery: Delivery): unknown {
  const typed_config = { '@type': `${TYPE}.http.rbac.v3.RBAC`, ...delivered(rbacOf(rulesOf(grants)), delivery) }
  return { name: 'envoy.filters.http.rbac', typed_config }
}

/** The filter for connections, before HTTP is read: it knows callers and ports only. */
export function networkFilter(grants: ReadonlyMap<string, readonly Grant[]>, delivery: Delivery): unknown {
  const rules = delivered(rbacOf(rulesOf(grants)), delivery)
  const typed_config = { '@type': `${TYPE}.network.rbac.v3.RBAC`, stat_prefix: 'cinch_', ...rules }
  return { name: 'envoy.filters.network.rbac', typed_config }
}

function delivered(rules: unknown, delivery: Delivery): Record<string, unknown> {
  return delivery === 'enforce' ? { rules } : { shadow_rules: rules, shadow_rules_stat_prefix: 'cinch_dry_run_' }
}

// Callers of one policy may do exactly the same, so principals times permissions is no more than was granted.
function rbacOf(rules: readonly Rule[]): unknown {
  const policies = rules.map((rule) => [
    nameOf(rule),
    { permissions: rule.to.map(permissionOf), principals: principalsOf(rule) },
  ])
  return { action: 'ALLOW', policies: Object.fromEntries(policies) }
}

// A caller has at most one rule of each kind and for the same users: its first caller names it, whatever other rules come and go.
function nameOf({ principals, to, when }: Rule): string {
  const users = when.length > 0 ? `, users ${digest(JSON.stringify(when))}` : ''
  const http = users !== '' || to.some(({ methods, paths }) => methods.length > 0 || paths.length > 0)
  const [first = ''] = principals
  const others = principals.length > 1 ? ` and ${principals.length - 1} more` : ''
  return `${first}${others}: ${http ? KINDS.http : KINDS.plain}${users}`
}

/** A callee's grants for connections, and the ports at which they hold; empty for every port. */
export interface ConnectionGrants {
  ports: number[]
  grants: Map<string, Grant[]>
}

/**
 * What may be decided before HTTP is read: at ports at which nothing but callers was named. There the filter decides the
 * same as the one for HTTP, whatever is spoken; at others it would let in what a path or a method keeps out.
 *
 * @returns null where there is no such port
 */
export function connectionGrants(grants: ReadonlyMap<string, readonly Grant[]>): ConnectionGrants | null {
  const all = [...grants.values()].flat()
  const http = all.filter(isHttp)
  const plain = all.filter((grant) => !isHttp(grant))
  if (plain.length === 0 || http.some(({ port }) => port === 0)) return null
  const everywhere = http.length === 0 && plain.some(({ port }) => port === 0)
  const taken = new Set(http.map(({ port }) => port))
  const own = new Set(plain.map(({ port }) => port).filter((port) => port !== 0 && !taken.has(port)))
  if (!everywhere && own.size === 0) return null
  const holds = ({ port }: Grant): boolean => port === 0 || everywhere || own.has(port)
  const kept = [...grants].flatMap(([principal, list]): [string, Grant[]][] => {
    const some = list.filter((grant) => !isHttp(grant) && holds(grant))
    return some.length > 0 ? [[principal, some]] : []
  })
  return { ports: everywhere ? [] : [...own].sort((left, right) => left - right), grants: new Map(kept) }
}
