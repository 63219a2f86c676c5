import type { Callee, Permission } from '../../../services/model/permission.ts'
import type { Loss } from '../target.ts'
import { calleeName, lossOf } from './loss.ts'
import { istioPath, pathPattern } from './paths.ts'
import { ROOT_NAMESPACE } from './resources.ts'
import type { Grant } from './rules.ts'
import { type OverlapOf, overlapsAmong, type Written } from './siblings.ts'

/** A callee and what each principal may do there, in Istio's words. */
export interface CalleeGrants {
  callee: Callee
  grants: Map<string, Grant[]>
}

/** Translates permissions callee by callee; what Istio cannot say goes to the loss. */
export function grantsOf(permissions: readonly Permission[]): { callees: CalleeGrants[]; loss: Loss[] } {
  const loss: Loss[] = []
  const byCallee = Map.groupBy(permissions, ({ callee }) =>
    JSON.stringify([callee.cluster, callee.namespace, callee.workload, callee.selector]),
  )
  const callees = [...byCallee.values()].flatMap((group): CalleeGrants[] => {
    const [first] = group
    return first ? [{ callee: first.callee, grants: calleeGrants(group, loss) }] : []
  })
  for (const entry of loss) markGranted(entry, callees)
  for (const { callee } of callees) loss.push(...mutualTlsLoss(callee), ...rootNamespaceLoss(callee))
  return { callees, loss }
}

function calleeGrants(permissions: readonly Permission[], loss: Loss[]): Map<string, Grant[]> {
  const written = permissions.flatMap((permission): Written[] => {
    const path = translate(permission, loss)
    return path === null ? [] : [{ permission, path }]
  })
  const overlapOf = overlapsAmong(written)
  const own = Map.groupBy(written, ({ permission }) => permission.caller.principal)
  const grants = new Map<string, Grant[]>()
  for (const [principal, list] of own) {
    grants.set(
      principal,
      list.map((one) => grantOf(one, list, overlapOf, loss)),
    )
  }
  return grants
}

function grantOf(one: Written, own: Written[], overlapOf: OverlapOf, loss: Loss[]): Grant {
  const { permission, path } = one
  const { method } = permission.operation
  const mayAlready = (other: string): boolean =>
    own.some(
      ({ permission: mine }) =>
        mine.operation.path === other &&
        mine.operation.method === method &&
        (mine.port === 0 || mine.port === permission.port),
    )
  const { not, open } = overlapOf(one, mayAlready)
  if (open.length > 0) {
    const detail = `${path} also lets in what only other callers were seen to use: ${open.join(', ')}`
    loss.push(lossOf(permission, 'template_overlap', 'widened', detail))
  }
  return { port: permission.port, method, path, not }
}

/** @returns the path in Istio's words, null when the permission is refused */
function translate(permission: Permission, loss: Loss[]): string | null {
  const { method, path, flags } = permission.operation
  if (permission.conditions.length > 0) {
    loss.push(lossOf(permission, 'condition', 'refused', 'conditions on users and devices are not rendered yet'))
    return null
  }
  // A star in a method is a wildcard to Istio, and methods are what the client sent.
  if (method !== '' && !/^[A-Za-z0-9!#$%&'+.^_`|~-]+$/.test(method)) {
    loss.push(lossOf(permission, 'method_characters', 'refused', 'the method is not one that Istio matches as it is'))
    return null
  }
  const written = path === '' ? ({ as: 'written', value: '' } as const) : istioPath(path, flags)
  if (written.as === 'refused') {
    loss.push(lossOf(permission, written.kind, 'refused', written.detail))
    return null
  }
  if (written.as !== 'written') loss.push(lossOf(permission, written.kind, written.as, written.detail))
  for (const { from, to, reason } of permission.widened) {
    loss.push({ ...lossOf(permission, `unknown_${from}`, 'widened', reason), from, to })
  }
  if (permission.evidence.plaintext_requests > 0) {
    const detail = 'plaintext requests carry no identity: they are denied until their caller uses mutual TLS'
    const entry = lossOf(permission, 'plaintext_caller', 'refused', detail)
    loss.push({ ...entry, requests: permission.evidence.plaintext_requests })
  }
  return written.value
}

// What cannot be written may still be allowed, by a rule that something else of the same caller made wide.
function markGranted(entry: Loss, callees: CalleeGrants[]): void {
  if (entry.done !== 'refused' || entry.kind === 'plaintext_caller') return
  for (const { callee, grants } of callees) {
    if (calleeName(callee) !== entry.callee) continue
    const matches = (path: string): boolean => path === '' || pathPattern(path).test(entry.path)
    const wide = (grants.get(entry.caller) ?? []).some(
      ({ port, method, path, not }) =>
        (method === '' || method === entry.method) &&
        (port === 0 || port === entry.port) &&
        matches(path) &&
        !not.some(matches),
    )
    if (!wide) continue
    entry.done = 'noted'
    entry.detail += '; a wider rule of the same caller allows it all the same'
  }
}

function rootNamespaceLoss(callee: Callee): Loss[] {
  if (callee.namespace !== ROOT_NAMESPACE) return []
  const detail = `policies in ${ROOT_NAMESPACE} also select pods with these labels in every other namespace; no default deny is written there`
  return [{ kind: 'root_namespace', done: 'widened', detail, ...aboutCallee(callee), requests: 0 }]
}

function aboutCallee(callee: Callee) {
  return { callee: calleeName(callee), caller: '', port: 0, method: '', path: '' }
}

function mutualTlsLoss(callee: Callee): Loss[] {
  const about = aboutCallee(callee)
  if (callee.plaintextRequests > 0) {
    const detail = 'plaintext requests were seen: mutual TLS stays PERMISSIVE until their callers use it'
    return [{ kind: 'plaintext', done: 'widened', detail, ...about, requests: callee.plaintextRequests }]
  }
  if (callee.mutualTlsSeen) return []
  const detail = 'no reporter told whether callers use mutual TLS; STRICT refuses those that do not'
  return [{ kind: 'mutual_tls_unknown', done: 'noted', detail, ...about, requests: 0 }]
}
