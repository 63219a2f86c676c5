import type { Day } from './operator.ts'
import type { Received, Sent } from './truth.ts'
import { EGRESS, hasEnvoy, INGRESS, principalOf, workloadOf } from './world.ts'

/** Speaks plain text only: to a callee it is nobody. */
const NOBODY = 'default/debug'

/**
 * Who may do what, if exactly what normal operation did is allowed: callers by identity, callees by application, from what
 * the applications received. Written from the truth alone; the product has no hand in it.
 */
export function permissionsOf(days: readonly Day[]): Set<string> {
  const received = days.flatMap((day) =>
    day.received.filter(({ attack, bypass }) => !attack && !bypass).filter(isGuarded),
  )
  return new Set(received.map(permissionOf))
}

/**
 * The permission that a call needs where somebody can refuse it: at the callee's Envoy of its last gateway or of its caller;
 * on the way out of the mesh, which callees there do not guard, at the egress gateway.
 */
export function permissionOf(call: Sent | Received): string {
  const isOut = call.via.includes(EGRESS)
  const via = isOut ? [] : call.via
  const callee = isOut ? EGRESS : call.callee
  const { caller, method, template } = call
  const last = via.at(-1) ?? caller
  const who = last === NOBODY ? 'nobody' : principalOf(workloadOf(last))
  // The ingress gateway cuts this off.
  const path = last === INGRESS ? template.replace(/^\/api/, '') : template
  return `${who} ${applicationOf(callee)} ${method} ${path}`
}

/** Versions of an application are one callee. */
export const applicationOf = (id: string) => {
  const { namespace, name, labels } = workloadOf(id)
  return `${namespace}/${labels['app'] ?? name}`
}

/** What goes to a callee without an Envoy, and not out through the gateway, is nobody's to refuse. */
const isGuarded = ({ callee, via }: Received) => hasEnvoy(workloadOf(callee)) || via.includes(EGRESS)

/** True where a callee's proxy, and not its application or a gateway's own check, said no. */
export const wasRefused = ({ refused_by }: Sent) => refused_by === 'callee' || refused_by === 'listener'
