import type { Permission } from '../../../services/model/permission.ts'
import { casesOf } from '../../grants/cases.ts'
import type { CalleeGrants } from '../../grants/grants.ts'
import type { PolicyCase } from '../target.ts'

/** The cases of callees behind a waypoint: through which Service they go, and from whose pods. */
export function waypointCases(callees: readonly CalleeGrants[]): PolicyCase[] {
  return callees.flatMap((entry) => casesOf([entry]).flatMap((one) => throughService(one, entry) ?? []))
}

function throughService(one: PolicyCase, { callee, permissions }: CalleeGrants): PolicyCase | null {
  const services = callee.ambient?.services ?? []
  for (const { name, ports } of services) {
    const found = one.port === 0 ? ports[0] : ports.find(({ workloadPort }) => workloadPort === one.port)
    if (!found) continue
    const caller = callerOf(one, permissions, true)
    return { ...one, ...caller, service: { name, port: found.servicePort } }
  }
  return null
}

/** The cases of what ztunnel decides alone. */
export function ztunnelCases(callees: readonly CalleeGrants[]): PolicyCase[] {
  return callees.flatMap((entry) =>
    casesOf([entry]).map((one) =>
      entry.callee.ambient ? { ...one, ...callerOf(one, entry.permissions, false) } : one,
    ),
  )
}

function callerOf(
  { principal }: PolicyCase,
  permissions: readonly Permission[],
  ambient: boolean,
): Pick<PolicyCase, 'caller'> {
  const own = permissions.filter(({ caller }) => caller.principal === principal)
  const workloads = own.flatMap(({ caller }) => caller.workloads)
  const found = workloads.find((workload) => (workload.ambient === true) === ambient) ?? workloads[0]
  if (!found) return { caller: { namespace: 'cinch-test', workload: 'stranger', labels: {} } }
  return { caller: { namespace: found.namespace, workload: found.workload, labels: found.selector ?? {} } }
}

/** One case of each request: a callee with two ways has them twice. */
export function distinctCases(cases: readonly PolicyCase[]): PolicyCase[] {
  return [...new Map(cases.map((one) => [JSON.stringify(one), one])).values()]
}
