import type { Condition } from '../../services/model/permission.ts'
import type { CaseUser, PolicyCase } from '../targets/target.ts'
import { claimOf } from './claims.ts'
import type { CalleeGrants } from './grants.ts'
import { isPrefix, matcherOf, prefixOf } from './pattern.ts'
import type { Grant } from './rules.ts'

/** Bounds the deny cases of a callee and of a kind of mutation; the allow cases are bounded by the callee's grants. */
const DENY_CASES_MAX = 5
/** Bounds the search for them: where all callers may do the same, none of them lacks anything. */
const DENY_TRIES_MAX = 500
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const FOREIGN_ISSUER = 'https://cinch-test.invalid'
const FOREIGN_GROUP = 'cinch-test'
const STRANGER = 'cluster.local/ns/cinch-test/sa/stranger'
const SAMPLE = '1'

type Request = Pick<PolicyCase, 'principal' | 'user' | 'method' | 'path' | 'port'>

/**
 * The cases that ship with the policies: what each caller was seen to do is allowed; a stranger, another caller's
 * operation, another method, a neighbouring path, another port and other users are denied. A mutation that some grant does allow
 * is left out, so every case holds.
 */
export function casesOf(callees: readonly CalleeGrants[]): PolicyCase[] {
  return callees.flatMap((entry) => {
    const { callee, grants } = entry
    const about = { cluster: callee.cluster, namespace: callee.namespace, workload: callee.workload }
    const toCase = (name: string, request: Request, expect: PolicyCase['expect']): PolicyCase => ({
      name,
      ...about,
      labels: callee.selector,
      ...request,
      expect,
    })
    const allowed = [...grants].flatMap(([principal, list]) =>
      list.flatMap((grant) => {
        if (grant.when.length === 0) return toCase('observed', requestOf(principal, grant), 'allow')
        const user = userOf(grant.when)
        return user ? toCase('observed', { ...requestOf(principal, grant), user }, 'allow') : []
      }),
    )
    const seen = new Set<string>()
    const denied = Object.entries(MUTATIONS).flatMap(([name, mutate]) =>
      ungranted(entry, mutate(entry.grants), seen).map((request) => toCase(name, request, 'deny')),
    )
    return [...allowed, ...denied]
  })
}

function ungranted(entry: CalleeGrants, requests: Iterable<Request>, seen: Set<string>): Request[] {
  const found: Request[] = []
  let tries = 0
  for (const request of requests) {
    if (found.length >= DENY_CASES_MAX || tries++ >= DENY_TRIES_MAX) break
    const key = JSON.stringify([request.principal, request.user, request.method, request.path, request.port])
    if (seen.has(key) || isGranted(entry, request)) continue
    seen.add(key)
    found.push(request)
  }
  return found
}

type Grants = CalleeGrants['grants']

const MUTATIONS: Record<string, (grants: Grants) => Iterable<Request>> = {
  'unknown caller': ofEach((request) => [{ ...request, principal: STRANGER }]),
  "another caller's operation": othersOperations,
  'another method': ofEach((request, { method }) =>
    method === '' ? [] : METHODS.map((other) => ({ ...request, method: other })),
  ),
  'trailing slash': ofEach((request, { path }) =>
    path === '' ? [] : [{ ...request, path: toggleSlash(request.path) }],
  ),
  'a path below': ofEach((request, { path }) =>
    path === '' ? [] : [{ ...request, path: `${request.path.replace(/\/$/, '')}/cinch-test` }],
  ),
  'another port': ofEach((request, { port }) =>
    port === 0 ? [] : [{ ...request, port: port === 65535 ? 65534 : port + 1 }],
  ),
  'without a user': ofEach((request, { when }) => (when.length === 0 ? [] : [{ ...request, user: null }])),
  'a user of another issuer': ofUser((user) => ({ ...user, issuer: FOREIGN_ISSUER })),
  'a user of another group': ofUser((user) => ({ ...user, groups: [FOREIGN_GROUP] })),
}

function ofUser(mutate: (user: CaseUser) => CaseUser): (grants: Grants) => Iterable<Request> {
  return ofEach((request, { when }) => {
    const user = userOf(when)
    return user ? [{ ...request, user: mutate(user) }] : []
  })
}

/** Somebody for whom conditions hold; null where there are none, or they ask for more than a case says. */
function userOf(when: readonly Condition[]): CaseUser | null {
  const first = (name: string) => when.find((condition) => claimOf(condition) === name)?.values.slice(0, 1)
  const [issuer] = first('iss') ?? []
  const user = issuer === undefined ? null : { issuer, groups: first('groups') ?? [] }
  return user && isFor(when, user) ? user : null
}

function isFor(when: readonly Condition[], user: CaseUser | null): boolean {
  const told: Record<string, string[]> = user ? { iss: [user.issuer], groups: user.groups } : {}
  return when.every((condition) => {
    const values = told[claimOf(condition) ?? ''] ?? []
    return values.some((value) => condition.values.includes(value))
  })
}

function ofEach(mutate: (request: Request, grant: Grant) => Request[]): (grants: Grants) => Iterable<Request> {
  return function* mutated(grants) {
    for (const [principal, list] of grants) {
      for (const grant of list) yield* mutate(requestOf(principal, grant), grant)
    }
  }
}

function* othersOperations(grants: Grants): Generator<Request> {
  const all = [...grants.values()].flat()
  for (const principal of grants.keys()) {
    for (const grant of all) yield requestOf(principal, grant)
  }
}

function requestOf(principal: string, grant: Grant): Request {
  const pattern = isPrefix(grant.path) ? `${prefixOf(grant.path)}${SAMPLE}` : grant.path
  const path = pattern.replaceAll('{*}', SAMPLE)
  return { principal, method: grant.method || 'GET', path: path || '/', port: grant.port }
}

function toggleSlash(path: string): string {
  return path.endsWith('/') && path !== '/' ? path.slice(0, -1) : `${path}/`
}

function isGranted({ grants }: CalleeGrants, request: Request): boolean {
  return (grants.get(request.principal) ?? []).some(
    ({ port, method, path, not, when }) =>
      // Where a case says nothing of a user, there may be any.
      (request.user === undefined || isFor(when, request.user)) &&
      (port === 0 || request.port === 0 || port === request.port) &&
      (method === '' || method === request.method) &&
      matcherOf(path).test(request.path) &&
      !not.some((other) => matcherOf(other).test(request.path)),
  )
}
