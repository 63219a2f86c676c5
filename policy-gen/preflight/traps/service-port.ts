import { selects, type Workload } from '../../../services/model/inventory.ts'
import { callsTo, type Ground, policyName, requestsOf, selected, type Trap } from '../ground.ts'

/** A rule's ports are the workload's; a Service's port that is another number never matches there. */
export const servicePort: Trap = {
  id: 'service_port',
  title: "a Service's port where the workload's is asked",
  find: (ground) =>
    ground.authorization
      .filter(({ targets }) => targets.length === 0)
      .flatMap((policy) => {
        const workloads = selected(ground.inventory, policy, policy.selector)
        const targets = new Map(workloads.flatMap((workload) => [...portsOf(ground, workload)]))
        const listening = new Set(targets.values())
        const ports = policy.rules.flatMap(({ to }) => to.flat().filter(({ field }) => field === 'ports'))
        const wrong = [...new Set(ports.flatMap(({ values }) => values.map(Number)))].filter(
          (port) => targets.has(port) && !listening.has(port),
        )
        return wrong.map((port) => ({
          harm: policy.action === 'ALLOW' ? ('breaks' as const) : ('ignored' as const),
          file: policy.file,
          object: policyName(policy),
          what: `${port} is the Service's port; the workload listens on ${targets.get(port)}`,
          fix: `write ${targets.get(port)}`,
          requests: requestsOf(
            workloads
              .flatMap((workload) => callsTo(ground, workload))
              .filter(({ servicePort: asked }) => asked === port),
          ),
        }))
      }),
}

/** At a waypoint it is the other way around: what is bound to a Service is asked for the Service's port. */
export const workloadPort: Trap = {
  id: 'workload_port',
  title: "a workload's port where a waypoint asks for the Service's",
  find: ({ authorization, inventory }) =>
    authorization.flatMap((policy) => {
      const names = policy.targets
        .filter(({ group, kind }) => group === '' && kind === 'Service')
        .map(({ name }) => name)
      const ports = inventory.services
        .filter(({ namespace, name }) => namespace === policy.namespace && names.includes(name))
        .flatMap((service) => service.ports)
      const asked = policy.rules.flatMap(({ to }) => to.flat().filter(({ field }) => field === 'ports'))
      const wrong = [...new Set(asked.flatMap(({ values }) => values.map(Number)))].filter(
        (port) => ports.every(({ servicePort: own }) => own !== port) && ports.some((one) => one.workloadPort === port),
      )
      return wrong.map((port) => {
        const right = ports.find((one) => one.workloadPort === port)?.servicePort ?? 0
        return {
          harm: policy.action === 'ALLOW' ? ('breaks' as const) : ('ignored' as const),
          file: policy.file,
          object: policyName(policy),
          what: `${port} is the workload's port; at the waypoint requests arrive for the Service's, ${right}`,
          fix: `write ${right}`,
        }
      })
    }),
}

/** The ports of the Services in front of a workload, and what they lead to. */
function portsOf({ inventory }: Ground, { cluster, namespace, labels }: Workload): Map<number, number> {
  const services = inventory.services.filter(
    (service) =>
      service.namespace === namespace &&
      service.cluster === cluster &&
      Object.keys(service.selector).length > 0 &&
      selects(service.selector, labels),
  )
  const known = services.flatMap(({ ports }) => ports).filter((port) => port.workloadPort > 0)
  return new Map(known.map((port) => [port.servicePort, port.workloadPort]))
}
