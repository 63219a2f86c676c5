import type { Callee, Permission } from '../../../services/model/permission.ts'
import { calleeLoss, lossOf } from '../../grants/loss.ts'
import type { Loss } from '../target.ts'

/** Permissions by where they are enforced. */
export interface Ways {
  /** At the callee's sidecar. */
  sidecar: Permission[]
  /** At a waypoint in front of the callee's Services, which reads HTTP. */
  waypoint: Permission[]
  /** At the callee's ztunnel, which knows callers and ports alone; already cut down to that. */
  ztunnel: Permission[]
  loss: Loss[]
}

/** One place for each namespace of each cluster. */
export function placeOf({ cluster, namespace }: Pick<Callee, 'cluster' | 'namespace'>): string {
  return JSON.stringify([cluster, namespace])
}

/**
 * Parts permissions by what can enforce them. A namespace gets a waypoint where something in it asks for methods, paths or
 * users. What goes around it is let in by caller and port, and said so.
 */
export function waysOf(permissions: readonly Permission[]): Ways {
  const ways: Ways = { sidecar: [], waypoint: [], ztunnel: [], loss: [] }
  const withWaypoint = new Set(permissions.filter(needsWaypoint).map(({ callee }) => placeOf(callee)))
  for (const permission of permissions) {
    const { callee, caller } = permission
    if (!callee.ambient) {
      ways.sidecar.push(permission)
      continue
    }
    const problem = unserved(permission, withWaypoint.has(placeOf(callee)))
    const outside = caller.workloads.some(({ ambient }) => !ambient)
    if (!problem && caller.workloads.some(({ ambient }) => ambient)) ways.waypoint.push(permission)
    if (problem?.kind === NO_SERVICE.kind && !isHttp(permission)) ways.loss.push(alone(permission))
    if (problem) atZtunnel(permission, problem, ways)
    else if (outside) atZtunnel(permission, BYPASSED, ways)
  }
  return ways
}

interface Problem {
  kind: string
  detail: string
}

const BYPASSED: Problem = {
  kind: 'waypoint_bypassed',
  detail: 'its caller is in a sidecar, a gateway or outside of the mesh, whose requests go around the waypoint',
}
const NO_SERVICE: Problem = {
  kind: 'waypoint_service',
  detail: 'no Service is known in front of the callee: no waypoint can stand there',
}
const NO_PORT: Problem = {
  kind: 'waypoint_port',
  detail: 'no Service in front of the callee leads to this port: who uses it goes around the waypoint',
}

function needsWaypoint(permission: Permission): boolean {
  return (
    isHttp(permission) && unserved(permission, true) === null && permission.caller.workloads.some((one) => one.ambient)
  )
}

/** Why no waypoint sees a permission's requests, whoever sends them; null when one can. */
function unserved({ callee, port }: Permission, hasWaypoint: boolean): Problem | null {
  const services = callee.ambient?.services ?? []
  if (services.length === 0 || !hasWaypoint) return NO_SERVICE
  const served = port === 0 || services.some(({ ports }) => ports.some(({ workloadPort }) => workloadPort === port))
  return served ? null : NO_PORT
}

// Behind a waypoint, ztunnel would see the waypoint and not the caller.
function alone({ callee }: Permission): Loss {
  return calleeLoss(
    callee,
    'no_waypoint',
    'noted',
    'ztunnel alone decides: no waypoint may be put in front of its Services',
  )
}

function isHttp({ operation, conditions }: Permission): boolean {
  return operation.method !== '' || operation.path !== '' || conditions.length > 0
}

function atZtunnel(permission: Permission, { kind, detail }: Problem, ways: Ways): void {
  const { conditions, granularity, port } = permission
  const [condition] = conditions
  if (condition) {
    ways.loss.push(lossOf(permission, 'condition', 'refused', `${detail}; ztunnel knows nothing of ${condition.key}`))
    return
  }
  const to = port === 0 ? 'workload' : 'port'
  if (isHttp(permission)) {
    const what = `${detail}; ztunnel reads no methods and paths: all on ${port === 0 ? 'every port' : `port ${port}`} are let in`
    ways.loss.push({ ...lossOf(permission, kind, 'widened', what), from: granularity, to })
  }
  ways.ztunnel.push({ ...permission, granularity: to, operation: { method: '', path: '', flags: [] } })
}
