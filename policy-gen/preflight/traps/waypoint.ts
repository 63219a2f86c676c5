import type { Workload } from '../../../services/model/inventory.ts'
import { waypointOf } from '../../replay/istio/data-plane.ts'
import type { AuthorizationPolicy, Match, SourceField } from '../../replay/istio/read-authorization.ts'
import { stringMatcher } from '../../replay/istio/strings.ts'
import { type Ground, isAmbient, policyName, selected, servedBy, type Trap } from '../ground.ts'

/** A waypoint decides for who asks the Service by its name from within ambient mode; everybody else reaches the Pod. */
export const waypointAround: Trap = {
  id: 'waypoint_around',
  title: 'a waypoint that callers can go around',
  find: (ground) =>
    servicesWithWaypoint(ground).flatMap(({ policy, service, waypoint }) => {
      const open = servedBy(ground, policy.namespace, service).filter(
        (workload) => !ground.authorization.some((other) => closes(other, workload, ground)),
      )
      if (open.length === 0) return []
      return [
        {
          harm: 'opens' as const,
          file: policy.file,
          object: policyName(policy),
          what: `Pods of ${open.map(({ name }) => name).join(', ')} take requests that do not come through ${waypoint.name}: from sidecars, gateways, from outside of the mesh, or sent to their addresses`,
          fix: `allow at the Pods, by a selector, only the principal of ${waypoint.namespace}/${waypoint.name}`,
        },
      ]
    }),
}

/** Behind a waypoint, ztunnel takes the waypoint for the caller: rules that name callers let nobody in. */
export const waypointIdentity: Trap = {
  id: 'waypoint_identity',
  title: 'a policy on callers at Pods behind a waypoint, which hides them',
  find: (ground) =>
    ground.authorization
      .filter(({ targets, action, rules }) => targets.length === 0 && action === 'ALLOW' && rules.length > 0)
      .flatMap((policy) => {
        const hidden = selected(ground.inventory, policy, policy.selector)
          .filter((workload) => isAmbient(ground, workload))
          .flatMap((workload) => {
            const waypoint = waypointBefore(ground, workload)
            const principal = waypoint && `cluster.local/ns/${waypoint.namespace}/sa/${waypoint.name}`
            const others = ground.authorization.filter((other) => closes(other, workload, ground))
            return principal && !others.some((other) => admits(other, principal)) ? [{ workload, waypoint }] : []
          })
        const [first] = hidden
        if (!first) return []
        return [
          {
            harm: 'breaks' as const,
            file: policy.file,
            object: policyName(policy),
            what: `what is sent to ${hidden.map(({ workload }) => workload.name).join(', ')} through ${first.waypoint.name} has the waypoint's identity, which no rule names`,
            fix: `name ${first.waypoint.namespace}/${first.waypoint.name} here, and the callers in a policy that is bound to the Service`,
          },
        ]
      }),
}

function servicesWithWaypoint(ground: Ground) {
  return ground.authorization.flatMap((policy) =>
    policy.targets
      .filter(({ group, kind }) => group === '' && kind === 'Service')
      .flatMap(({ name: service }) => {
        const waypoint = waypointOf(
          ground.declared,
          { namespace: policy.namespace, name: service },
          policy.cluster ?? '',
        )
        return waypoint === null || waypoint === 'unknown' ? [] : [{ policy, service, waypoint }]
      }),
  )
}

function waypointBefore(ground: Ground, { cluster, namespace, ...workload }: Workload) {
  const services = ground.inventory.services.filter((service) =>
    servedBy(ground, namespace, service.name).some((one) => one.name === workload.name),
  )
  const found = services
    .filter((service) => service.namespace === namespace)
    .map(({ name }) => waypointOf(ground.declared, { namespace, name }, cluster))
  return found.find((waypoint) => waypoint !== null && waypoint !== 'unknown') ?? null
}

// From the first ALLOW on, a Pod takes nothing but what is allowed.
function closes(policy: AuthorizationPolicy, workload: Workload, { inventory }: Ground): boolean {
  return (
    policy.action === 'ALLOW' &&
    policy.targets.length === 0 &&
    selected(inventory, policy, policy.selector).includes(workload)
  )
}

/** Whether a rule lets a principal in, whatever its trust domain is called. */
function admits({ rules }: AuthorizationPolicy, principal: string): boolean {
  const path = principal.slice(principal.indexOf('/'))
  const named = ({ field, values }: Match<SourceField>) =>
    field !== 'principals' || values.some((value) => value.endsWith(path) || stringMatcher(value)(principal) === 'yes')
  return rules.some(({ from }) => from.length === 0 || from.some((source) => source.every(named)))
}
