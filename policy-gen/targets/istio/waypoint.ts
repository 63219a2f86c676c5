import type { Callee, CalleeService } from '../../../services/model/permission.ts'
import type { CalleeGrants } from '../../grants/grants.ts'
import { calleeLoss } from '../../grants/loss.ts'
import { digest } from '../../grants/names.ts'
import type { Grant, GrantProduct, Rule } from '../../grants/rules.ts'
import type { Loss } from '../target.ts'
import { allowPolicies, type Binding, metadataOf } from './resources.ts'

/** The waypoint that is put in front of a namespace's Services; istioctl's own default. */
export const WAYPOINT = 'waypoint'

/** What asks for a waypoint and puts the namespace's Services behind it. */
export function waypointOf(callee: Callee, clustered: boolean): unknown[] {
  const { namespace, ...metadata } = metadataOf(WAYPOINT, callee, clustered)
  return [
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { ...metadata, namespace, labels: { 'istio.io/waypoint-for': 'service' } },
      spec: {
        gatewayClassName: 'istio-waypoint',
        listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { ...metadata, name: namespace, labels: { 'istio.io/use-waypoint': WAYPOINT } },
    },
  ]
}

export const toWaypoint: Binding = {
  targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: WAYPOINT }],
}

export function toServices(services: readonly Pick<CalleeService, 'name'>[]): Binding {
  return { targetRefs: services.map(({ name }) => ({ group: '', kind: 'Service', name })) }
}

/** What a waypoint allows in front of each Service of a callee: there, ports are the Service's. */
export function waypointPolicies(callee: Callee, name: string, rules: readonly Rule[], clustered: boolean): unknown[] {
  const services = callee.ambient?.services ?? []
  return services.flatMap((service) => {
    const own = services.length > 1 ? `${name}-${digest(service.name)}` : name
    return allowPolicies(callee, own, atService(rules, service), clustered, toServices([service]))
  })
}

function atService(rules: readonly Rule[], { ports }: CalleeService): Rule[] {
  const products = (product: GrantProduct): GrantProduct[] => {
    if (product.ports.length === 0) return [product]
    const open = ports.filter(({ workloadPort }) => product.ports.includes(workloadPort))
    const asked = [...new Set(open.map(({ servicePort }) => servicePort))].sort((left, right) => left - right)
    return asked.length > 0 ? [{ ...product, ports: asked }] : []
  }
  return rules.map((rule) => ({ ...rule, to: rule.to.flatMap(products) })).filter(({ to }) => to.length > 0)
}

/**
 * What ztunnel lets in beside the callers that go around the waypoint: the waypoint, on the ports that are used through it.
 * Its trust domain is the callers' where they have one, else any.
 */
export function behindWaypoint(through: CalleeGrants, around: CalleeGrants | undefined): Map<string, Grant[]> {
  const domains = new Set([...through.grants.keys()].map((principal) => principal.split('/')[0] ?? ''))
  const [domain = '*'] = domains
  const principal = `${domains.size === 1 ? domain : '*'}/ns/${through.callee.namespace}/sa/${WAYPOINT}`
  const ports = new Set([...through.grants.values()].flat().map(({ port }) => port))
  const grants = [...ports].map((port): Grant => ({ port, method: '', path: '', not: [], when: [] }))
  return new Map([...(around?.grants ?? []), [principal, grants]])
}

/** A Service in front of several applications: what one of them allows, its waypoint allows for all. */
export function sharedServices(callees: readonly CalleeGrants[]): Loss[] {
  const fronts = callees.flatMap(({ callee }) =>
    (callee.ambient?.services ?? []).map(({ name }) => ({
      callee,
      name,
      key: `${callee.cluster}/${callee.namespace}/${name}`,
    })),
  )
  return [...Map.groupBy(fronts, ({ key }) => key).values()]
    .filter((same) => same.length > 1)
    .flatMap((same) =>
      same.map(({ callee, name }) => {
        const detail = `the Service ${name} stands in front of other applications too: its waypoint lets each one's callers through to all`
        return calleeLoss(callee, 'shared_service', 'widened', detail)
      }),
    )
}
