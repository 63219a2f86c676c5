import type { Service } from '../../../services/model/inventory.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import type { InventoryIndex } from '../../inventory-index.ts'
import { type Declared, serviceAsked } from '../declared.ts'
import type { LayerContext, Verdict } from '../layer.ts'
import type { CallerIdentity, ReplayRequest } from '../request.ts'
import { sameName } from '../selection.ts'
import { all, some, type Tri } from '../tri.ts'
import { compiledFor, policiesByCallee, ROOT_NAMESPACE } from './callee.ts'
import type { CompiledPolicy } from './compile.ts'
import { type DataPlane, dataPlanes, type Waypoint, waypointOf } from './data-plane.ts'
import type { DocumentHead, IstioDocuments } from './documents.ts'
import { type CalleePolicies, evaluate } from './evaluate.ts'
import { mutualTlsOf } from './peers.ts'
import type { AuthorizationPolicy } from './read-authorization.ts'
import type { PolicyTarget } from './read-targets.ts'
import { atZtunnel } from './ztunnel.ts'

interface ServiceName {
  namespace: string
  name: string
}

/** How a request can have come to its callee: through a waypoint that stands in front of a Service, or around it. */
type Way = { through: null } | { through: Waypoint | 'unknown'; service: ServiceName }

/**
 * Istio's ambient mode: a waypoint in front of the Service decides by what is bound to it, then the ztunnel of the
 * callee's node by what selects the callee, on connections alone. Behind a waypoint ztunnel sees the waypoint's identity.
 */
export function atAmbient(documents: IstioDocuments, declared: Declared, context: LayerContext) {
  const { index, selectorRule } = context
  const planeOf = dataPlanes(declared, context)
  const ztunnelOf = policiesByCallee(atZtunnel(documents), index, selectorRule)
  const waypointsOf = policiesAtWaypoint(documents, index)

  // Where nothing is bound to a waypoint, and nothing asks for one, there is none.
  const spokenOf = [...documents.authorization, ...documents.tokens].some(({ targets }) => targets.length > 0)
  const standing = (service: ServiceName, cluster: string): Waypoint | 'unknown' | null => {
    const waypoint = waypointOf(declared, service, cluster)
    return waypoint === 'unknown' && !spokenOf ? null : waypoint
  }

  const waysOf = (operation: ObservedOperation, { caller, port }: ReplayRequest): Way[] => {
    const { source, destination } = operation
    const asked = serviceAsked(destination)
    const callee = index.workload(destination)
    const services = asked
      ? [asked]
      : callee
        ? index.servicesOf(callee).filter((service) => leadsTo(service, port))
        : []
    // Who is outside of the mesh or in a sidecar knows of no waypoint.
    const plane = caller.is === 'none' ? 'other' : planeOf(source)
    const ways = services.flatMap((service) => wayTo(service, operation, plane, caller))
    return [...ways, ...(asked ? [] : [{ through: null }])]
  }
  const wayTo = (
    { namespace, name }: ServiceName,
    { destination: { cluster } }: ObservedOperation,
    plane: DataPlane,
    caller: CallerIdentity,
  ): Way[] => {
    const waypoint = standing({ namespace, name }, cluster)
    const direct: Way = { through: null }
    if (waypoint === null || plane === 'other' || (waypoint !== 'unknown' && isOf(waypoint, caller))) return [direct]
    const through: Way = { through: waypoint, service: { namespace, name } }
    return plane === 'unknown' || waypoint === 'unknown' ? [through, direct] : [through]
  }
  const along = (way: Way, operation: ObservedOperation, request: ReplayRequest): Verdict => {
    const { source, destination } = operation
    if (way.through === null) return evaluate(request, ztunnelOf(destination))
    const port = servicePortOf(operation, request, way.service)
    const policies = waypointsOf(way.service, way.through, destination.cluster)
    const domain = trustDomainOf(destination.principal) || trustDomainOf(source.principal) || 'cluster.local'
    const identity = identityOf(way.through, domain)
    return both(
      evaluate({ ...request, port }, policies),
      evaluate({ ...request, caller: identity, mutualTls: 'yes' }, ztunnelOf(destination)),
    )
  }
  const servicePortOf = (operation: ObservedOperation, { port }: ReplayRequest, service: ServiceName): number => {
    if (operation.servicePort !== 0) return operation.servicePort
    const callee = index.workload(operation.destination)
    const known = callee ? index.servicesOf(callee).find(({ name }) => name === service.name) : undefined
    const ports = known?.ports.filter(({ workloadPort }) => workloadPort === port && port !== 0) ?? []
    return ports.length === 1 ? (ports[0]?.servicePort ?? 0) : 0
  }
  return {
    isAmbient: (operation: ObservedOperation) => planeOf(operation.destination) === 'ambient',
    decide(operation: ObservedOperation, request: ReplayRequest): Verdict {
      const verdicts = waysOf(operation, request).map((way) => along(way, operation, request))
      const [first = UNDECIDED] = verdicts
      return verdicts.every(({ allowed }) => allowed === first.allowed) ? first : UNDECIDED
    },
  }
}

const UNDECIDED: Verdict = { allowed: 'unknown', reason: 'not known: whether a waypoint stands in between' }

function both(waypoint: Verdict, ztunnel: Verdict): Verdict {
  const allowed = all(waypoint.allowed, ztunnel.allowed)
  if (waypoint.allowed === allowed) return { allowed, reason: `waypoint: ${waypoint.reason}` }
  return { allowed, reason: `ztunnel: ${ztunnel.reason}` }
}

function identityOf(waypoint: Waypoint | 'unknown', trustDomain: string): CallerIdentity {
  if (waypoint === 'unknown') return { is: 'unknown' }
  return { is: 'known', principal: `${trustDomain}/ns/${waypoint.namespace}/sa/${waypoint.name}` }
}

function leadsTo({ ports }: Service, port: number): boolean {
  return port === 0 || ports.some(({ workloadPort }) => workloadPort === port || workloadPort === 0)
}

// What the waypoint itself sends on is not sent to a waypoint again.
function isOf({ namespace, name }: Waypoint, caller: CallerIdentity): boolean {
  return caller.is === 'known' && caller.principal.endsWith(`/ns/${namespace}/sa/${name}`)
}

function trustDomainOf(principal: string): string {
  return principal.split('/')[0] ?? ''
}

/** What is bound to a Service, to its waypoint or to all waypoints; compiled once. */
function policiesAtWaypoint({ authorization, tokens }: IstioDocuments, index: InventoryIndex) {
  const boundIn = compiledFor(
    authorization.filter(({ targets }) => targets.length > 0),
    index,
  )
  const known = new Map<string, CalleePolicies>()
  return (service: ServiceName, waypoint: Waypoint | 'unknown', cluster: string): CalleePolicies => {
    const key = JSON.stringify([service, waypoint, cluster])
    const found = known.get(key) ?? build(service, waypoint, cluster)
    known.set(key, found)
    return found
  }
  function build(service: ServiceName, waypoint: Waypoint | 'unknown', cluster: string): CalleePolicies {
    const holds = (head: DocumentHead & Pick<AuthorizationPolicy, 'targets'>): Tri =>
      all(
        head.cluster === undefined ? 'yes' : sameName(head.cluster, cluster),
        some(head.targets, (target) => isTarget(target, head.namespace, service, waypoint)),
      )
    const applicable = [...boundIn(cluster)].map(([document, policy]) => ({ policy, applies: holds(document) }))
    const of = (action: CompiledPolicy['action']) =>
      applicable.filter(({ policy, applies }) => policy.action === action && applies !== 'no')
    return {
      deny: of('DENY'),
      custom: of('CUSTOM'),
      allow: of('ALLOW'),
      mutualTls: mutualTlsOf([]),
      tokens: tokens
        .map((one) => ({ issuers: one.issuers, applies: holds(one) }))
        .filter(({ issuers, applies }) => applies !== 'no' && issuers.length > 0),
    }
  }
}

function isTarget(
  { group, kind, name }: PolicyTarget,
  namespace: string,
  service: ServiceName,
  waypoint: Waypoint | 'unknown',
): Tri {
  if (group === '' && kind === 'Service') return name === service.name && namespace === service.namespace ? 'yes' : 'no'
  if (group !== 'gateway.networking.k8s.io') return 'no'
  if (kind === 'GatewayClass') return name === 'istio-waypoint' && namespace === ROOT_NAMESPACE ? 'yes' : 'no'
  if (kind !== 'Gateway') return 'no'
  if (waypoint === 'unknown') return 'unknown'
  return name === waypoint.name && namespace === waypoint.namespace ? 'yes' : 'no'
}
