import { atLeast, type Evidence } from '../services/model/evidence.ts'
import { parsePrincipal } from '../services/model/identity.ts'
import type { ObservedOperation, Party } from '../services/model/operation.ts'
import type { CallerWorkload, WorkloadReference } from '../services/model/permission.ts'
import { isAmong, labelledAmbient } from './data-plane.ts'
import type { InventoryIndex } from './inventory-index.ts'
import type { NamingRule } from './naming.ts'
import { isLabel, isPrincipal } from './naming.ts'
import { selectorOf } from './selector.ts'

export type CallerResult =
  | { ok: true; principal: string; basis: 'observed' | 'assumed' }
  | { ok: false; code: 'evidence' | 'principal'; reason: string }

/** Who the caller is, as a policy can name it, or why it cannot be named. */
export function callerOf(
  operation: ObservedOperation,
  minimumEvidence: Evidence,
  rule: NamingRule | null,
  index: InventoryIndex,
): CallerResult {
  const { source } = operation
  if (!atLeast(source.evidence, minimumEvidence)) {
    const reason = `the caller's identity is only ${source.evidence}; ${minimumEvidence} is asked for`
    return { ok: false, code: 'evidence', reason }
  }
  if (source.principal !== '') return checked(source.principal, 'observed')
  if (!rule) {
    const reason = `no principal was seen; give a naming rule such as --principal 'cluster.local/ns/{namespace}/sa/{workload}'`
    return { ok: false, code: 'principal', reason }
  }
  const named = assumedPrincipal(operation, rule, index)
  if (!named.ok) {
    return { ok: false, code: 'principal', reason: `the naming rule needs {${named.missing}}, which is not known` }
  }
  return checked(named.value, 'assumed')
}

/** The namespace of a party: as its reporter names it, else as its identity does. */
export function namespaceOf({ namespace, principal }: Party): string {
  return namespace || (parsePrincipal(principal)?.namespace ?? '')
}

/** The principal that a naming rule gives to an operation's caller. */
export function assumedPrincipal(operation: ObservedOperation, rule: NamingRule, index: InventoryIndex) {
  const { cluster, namespace, workload } = operation.source
  const accounts = new Set(index.behind(operation.source).map((one) => one.serviceAccount))
  const [serviceAccount = ''] = accounts.size === 1 ? accounts : []
  return rule({ cluster, namespace, workload, serviceAccount })
}

// A star in a principal would be a wildcard in the policy: names are chosen by whoever sends the telemetry.
function checked(principal: string, basis: 'observed' | 'assumed'): CallerResult {
  return isPrincipal(principal)
    ? { ok: true, principal, basis }
    : { ok: false, code: 'principal', reason: `${JSON.stringify(principal)} is no SPIFFE identity` }
}

/** Finds the workload that sent an operation's requests, with the labels that select its pods. */
export type WorkloadOf = (operation: ObservedOperation) => CallerWorkload

export function workloadsBehind(index: InventoryIndex, ambient: readonly string[]): WorkloadOf {
  const found = new Map<string, CallerWorkload>()
  return ({ source: { cluster, namespace, workload } }) => {
    const key = JSON.stringify([cluster, namespace, workload])
    const entry = found.get(key) ?? {
      cluster,
      namespace,
      workload,
      selector: selectorFor(index, cluster, namespace, workload),
      ...(isAmbient(index, ambient, { cluster, namespace, workload }) ? { ambient: true as const } : {}),
    }
    found.set(key, entry)
    return entry
  }
}

function isAmbient(index: InventoryIndex, ambient: readonly string[], reference: WorkloadReference): boolean {
  const isSaid = isAmong(ambient, reference.namespace)
  const known = index.behind(reference)
  return known.length > 0 ? known.every(({ labels }) => labelledAmbient(labels) ?? isSaid) : isSaid
}

function selectorFor(index: InventoryIndex, cluster: string, namespace: string, workload: string) {
  const selectors = index.behind({ cluster, namespace, workload }).map((known) => {
    const selector = selectorOf(known, index)
    return selector && Object.fromEntries(Object.entries(selector).sort(([left], [right]) => (left < right ? -1 : 1)))
  })
  const [selector, ...others] = selectors
  if (!selector || others.some((other) => JSON.stringify(other) !== JSON.stringify(selector))) return null
  return Object.entries(selector).every(([key, value]) => isLabel(key, value)) ? selector : null
}
