import type { Callee, CallerWorkload, Condition, Permission } from '../../../services/model/permission.ts'
import { calleeName, lossOf } from '../../grants/loss.ts'
import type { Loss } from '../target.ts'

/** Pods as a NetworkPolicy selects them: by their namespace's name, and by labels where those are known. */
export interface PeerPods {
  namespace: string
  /** Null is every pod of the namespace. */
  selector: Record<string, string> | null
}

/** What one permission opens: pods, and the port of the callee's pods, 0 for every one. */
export interface Opening {
  permission: Permission
  workload: CallerWorkload
  peer: PeerPods
  port: number
}

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Cuts permissions down to what a network policy can say: which pods reach which port. What is let in beside, because
 * identities, methods and paths are not seen there, is told as widened.
 */
export function openingsOf(permissions: readonly Permission[], loss: Loss[]): Opening[] {
  const openings = permissions.flatMap((permission) => {
    if (permission.conditions.length > 0) return []
    const found = permission.caller.workloads.flatMap((workload): Opening[] => {
      const problem = unreachable(permission.callee, workload)
      if (problem) {
        loss.push(lossOf(permission, problem.kind, 'refused', problem.detail))
        return []
      }
      const { namespace, selector } = workload
      return [{ permission, workload, peer: { namespace, selector }, port: permission.port }]
    })
    if (found.length > 0) loss.push(...widenings(permission, found))
    return found
  })
  for (const permission of permissions) {
    const [condition] = permission.conditions
    if (condition) loss.push(unsaid(permission, condition, openings))
  }
  return openings
}

// What is refused may still be let in, since the same pods reach the port for something else.
function unsaid(permission: Permission, { key }: Condition, openings: readonly Opening[]): Loss {
  const podsOf = ({ namespace, selector }: PeerPods) => JSON.stringify([namespace, selector])
  const open = openings.filter(({ port }) => port === 0 || port === permission.port).map(({ peer }) => podsOf(peer))
  const why = `it has a condition that cannot be said: ${key}`
  const still = permission.caller.workloads.every((workload) => open.includes(podsOf(workload)))
  if (!still) return lossOf(permission, 'condition', 'refused', why)
  const detail = `${why}; something else that the same pods do opens the port all the same`
  return lossOf(permission, 'condition', 'noted', detail)
}

function unreachable(callee: Callee, { cluster, namespace }: CallerWorkload) {
  if (!NAMESPACE.test(namespace)) {
    return { kind: 'caller_namespace', detail: 'the namespace of the caller is not known: its pods cannot be selected' }
  }
  if (cluster !== '' && callee.cluster !== '' && cluster !== callee.cluster) {
    return {
      kind: 'other_cluster',
      detail: `the caller is in ${cluster}, whose pods no policy of this cluster selects`,
    }
  }
  return null
}

function widenings(permission: Permission, openings: readonly Opening[]): Loss[] {
  const { granularity, operation, port, caller } = permission
  const to = port === 0 ? 'workload' : 'port'
  const what = port === 0 ? 'every port' : `port ${port}`
  const pods = openings.map(({ peer }) => podsText(peer)).sort()
  const losses: Loss[] = []
  for (const { from, to: wider, reason } of permission.widened) {
    losses.push({ ...lossOf(permission, `unknown_${from}`, 'widened', reason), from, to: wider })
  }
  if (operation.method !== '' || operation.path !== '') {
    const detail = `methods and paths are not seen on the network: all of them on ${what} are open to these pods`
    losses.push({ ...lossOf(permission, 'operation', 'widened', detail), from: granularity, to })
  }
  const detail = `identities are not seen on the network: every one on ${what} of ${calleeName(permission.callee)} is open to ${pods.join(' and ')}, not only ${caller.principal}`
  losses.push({ ...lossOf(permission, 'identity', 'widened', detail), to })
  if (openings.some(({ peer }) => peer.selector === null)) {
    const whole = 'the inventory has no labels that select the caller alone: its whole namespace is let in'
    losses.push({ ...lossOf(permission, 'caller_labels', 'widened', whole), to })
  }
  return losses
}

function podsText({ namespace, selector }: PeerPods): string {
  const labels = selector && Object.entries(selector).map(([key, value]) => `${key}=${value}`)
  return labels ? `pods with ${labels.join(',')} in ${namespace}` : `every pod in ${namespace}`
}
