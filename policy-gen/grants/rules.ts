import type { Condition } from '../../services/model/permission.ts'
import { isPrefix, type PathPattern, prefixOf } from './pattern.ts'

/** One thing that a caller may do at a callee: 0 and empty mean any. */
export interface Grant {
  port: number
  method: string
  path: PathPattern
  /** Paths that a template would let in and that this caller was not seen to use. */
  not: string[]
  /** All must hold, of each one value. */
  when: Condition[]
}

/** One entry of a rule's `to`: every combination of its members is granted; an empty list is any. */
export interface GrantProduct {
  ports: number[]
  methods: string[]
  paths: string[]
  notPaths: string[]
}

export interface Rule {
  principals: string[]
  to: GrantProduct[]
  when: Condition[]
}

/**
 * Minimises what callers may do into rules, so that each caller gets exactly its own grants: callers share a rule only
 * when their grants are the same, and a product of ports, methods and paths is formed only where every combination was
 * granted.
 *
 * Grants with a method or a path stand in rules of their own: Istio drops an ALLOW rule as a whole on a plain TCP port
 * as soon as one of its operations is HTTP's, and Envoy's filter for plain TCP cannot say them.
 */
export function rulesOf(grants: ReadonlyMap<string, readonly Grant[]>): Rule[] {
  const groups = new Map<string, { principals: string[]; grants: Grant[] }>()
  for (const [principal, all] of [...grants].sort(byPrincipal)) {
    const needed = withoutCovered(all)
    const http = Map.groupBy(needed.filter(isHttp), ({ when }) => JSON.stringify(when))
    const plain = needed.filter((grant) => !isHttp(grant))
    for (const part of [plain, ...http.values()]) {
      if (part.length === 0) continue
      const key = JSON.stringify(part)
      const group = groups.get(key) ?? { principals: [], grants: part }
      group.principals.push(principal)
      groups.set(key, group)
    }
  }
  return [...groups.values()].map((group) => ({
    principals: group.principals,
    to: productsOf(group.grants),
    when: group.grants[0]?.when ?? [],
  }))
}

/** True when every request that `narrow` grants is granted by `wide` too. */
export function covers(wide: Grant, narrow: Grant): boolean {
  return (
    (wide.port === 0 || wide.port === narrow.port) &&
    (wide.method === '' || wide.method === narrow.method) &&
    (wide.path === '' || wide.path === narrow.path || isBelow(wide.path, narrow.path)) &&
    wide.not.every((path) => narrow.not.includes(path)) &&
    (wide.when.length === 0 || JSON.stringify(wide.when) === JSON.stringify(narrow.when))
  )
}

function isBelow(wide: string, narrow: string): boolean {
  return isPrefix(wide) && narrow.startsWith(prefixOf(wide))
}

export function isHttp(grant: Grant): boolean {
  return grant.method !== '' || grant.path !== '' || grant.when.length > 0
}

function withoutCovered(grants: readonly Grant[]): Grant[] {
  const unique = [...new Map(grants.map((grant) => [grantKey(grant), grant])).entries()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, grant]) => grant)
  // Each pair is compared: only what can cover another is taken.
  const conditional = unique.some(({ when }) => when.length > 0)
  const wide = unique.filter(
    ({ port, method, path, when }) =>
      port === 0 || method === '' || path === '' || isPrefix(path) || (conditional && when.length === 0),
  )
  return unique.filter((grant) => !wide.some((other) => other !== grant && covers(other, grant)))
}

function grantKey({ port, method, path, not, when }: Grant): string {
  return JSON.stringify([path, method, port, not, when])
}

function productsOf(grants: Grant[]): GrantProduct[] {
  const methods = merge(
    grants.map(({ port, method, path, not }) => ({ ports: [port], methods: [method], paths: [path], notPaths: not })),
    'methods',
  )
  const products = merge(merge(methods, 'paths'), 'ports')
  return products.map(({ ports, methods: names, paths, notPaths }) => ({
    ports: ports.filter((port) => port !== 0),
    methods: names.filter((name) => name !== ''),
    paths: paths.filter((path) => path !== ''),
    notPaths,
  }))
}

// Two products that differ in one list only are one product with that list joined: nothing is gained or lost. "Any" is
// never joined with a name: what it covers is gone by now.
function merge(products: GrantProduct[], list: 'ports' | 'methods' | 'paths'): GrantProduct[] {
  const groups = new Map<string, GrantProduct>()
  for (const product of products) {
    const key = JSON.stringify({ ...product, [list]: null })
    const group = groups.get(key)
    if (group) Object.assign(group, { [list]: [...group[list], ...product[list]].sort(ascending) })
    else groups.set(key, { ...product })
  }
  return [...groups.values()]
}

function ascending(left: string | number, right: string | number): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  return left < right ? -1 : left > right ? 1 : 0
}

function byPrincipal([left]: [string, unknown], [right]: [string, unknown]): number {
  return ascending(left, right)
}
