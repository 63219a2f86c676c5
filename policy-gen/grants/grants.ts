import type { PathFlag } from '../../services/model/operation.ts'
import type { Callee, Condition, Permission } from '../../services/model/permission.ts'
import type { Loss } from '../targets/target.ts'
import { calleeName, lossOf } from './loss.ts'
import { matcherOf, type PathPattern, type WrittenPath } from './pattern.ts'
import type { Grant } from './rules.ts'
import { type OverlapOf, overlapsAmong, type Written } from './siblings.ts'

/** A callee and what each principal may do there, as far as a target can say it. */
export interface CalleeGrants {
  callee: Callee
  permissions: Permission[]
  grants: Map<string, Grant[]>
}

/** What one target's language can say. */
export interface Dialect {
  path: (path: string, flags: readonly PathFlag[]) => WrittenPath
  /** True for a method that is matched as it is. */
  method: (method: string) => boolean
  /** True for a condition that can be said; left out, none can. */
  condition?: (condition: Condition) => boolean
  /** What is lost at a callee, whoever calls. */
  callee: (callee: Callee) => Loss[]
}

/** Translates permissions callee by callee; what the target cannot say goes to the loss. */
export function grantsOf(
  permissions: readonly Permission[],
  dialect: Dialect,
): { callees: CalleeGrants[]; loss: Loss[] } {
  const loss: Loss[] = []
  const byCallee = Map.groupBy(permissions, ({ callee }) =>
    JSON.stringify([callee.cluster, callee.namespace, callee.workload, callee.selector]),
  )
  const callees = [...byCallee.values()].flatMap((group): CalleeGrants[] => {
    const [first] = group
    return first ? [{ callee: first.callee, permissions: group, grants: calleeGrants(group, dialect, loss) }] : []
  })
  for (const entry of loss) markGranted(entry, callees)
  for (const { callee } of callees) loss.push(...dialect.callee(callee))
  return { callees, loss }
}

function calleeGrants(permissions: readonly Permission[], dialect: Dialect, loss: Loss[]): Map<string, Grant[]> {
  const written = permissions.flatMap((permission): Written[] => {
    const path = translate(permission, dialect, loss)
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
  return { port: permission.port, method, path, not, when: permission.conditions }
}

/** @returns the path in the target's words, null when the permission is refused */
function translate(permission: Permission, dialect: Dialect, loss: Loss[]): PathPattern | null {
  const { method, path, flags } = permission.operation
  const unsaid = permission.conditions.find((condition) => !dialect.condition?.(condition))
  if (unsaid) {
    loss.push(lossOf(permission, 'condition', 'refused', `it has a condition that cannot be said: ${unsaid.key}`))
    return null
  }
  if (method !== '' && !dialect.method(method)) {
    loss.push(lossOf(permission, 'method_characters', 'refused', 'the method is not one that is matched as it is'))
    return null
  }
  const written = path === '' ? ({ as: 'written', value: '' } as const) : dialect.path(path, flags)
  if (written.as === 'refused') {
    loss.push(lossOf(permission, written.kind, 'refused', written.detail))
    return null
  }
  if (written.as !== 'written') loss.push(lossOf(permission, written.kind, written.as, written.detail))
  if (permission.operation.named) {
    const detail = `${namesText(permission.operation.named)}; it is the path that is matched, so every operation there is let in`
    loss.push(lossOf(permission, 'named_operation', 'widened', detail))
  }
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

/** Names that a loss lists. */
const NAMES_LISTED_MAX = 5

function namesText(names: readonly string[]): string {
  const listed = names.slice(0, NAMES_LISTED_MAX).map((name) => JSON.stringify(name))
  const more = names.length > listed.length ? ` and ${names.length - listed.length} more` : ''
  return `requests named the operation${names.length > 1 ? 's' : ''} ${listed.join(', ')}${more}`
}

// What cannot be written may still be allowed, by a rule that something else of the same caller made wide.
function markGranted(entry: Loss, callees: CalleeGrants[]): void {
  if (entry.done !== 'refused' || entry.kind === 'plaintext_caller') return
  for (const { callee, grants } of callees) {
    if (calleeName(callee) !== entry.callee) continue
    const matches = (path: PathPattern): boolean => matcherOf(path).test(entry.path)
    const wide = (grants.get(entry.caller) ?? []).some(
      ({ port, method, path, not, when }) =>
        when.length === 0 &&
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
