import { headOf, type LineFormat, protocolOf } from './line.ts'
import { hash32 } from './random.ts'
import type { CallSpec, JourneySpec } from './tables.ts'
import type { Ledger, Tally, TruthOperation, TruthParty } from './truth.ts'
import { poolSize } from './values.ts'
import { CLUSTERS, PUBLIC_HOST, type Site, type World } from './world.ts'

/** What all calls of one call specification between two sites have in common. */
export interface Route {
  tally: Tally
  plant: Tally | undefined
  /** Of a call that leaves through the egress gateway: the second call, from the gateway to the host outside. */
  beyond: Tally | undefined
  /** Cluster whose log has the line. */
  writer: number
  ingress: boolean
  gateway: boolean
  direct: boolean
  kubelet: boolean
  mtls: boolean
  traced: boolean
  http2: boolean
  bothSides: boolean
  /** The line names the client outside, not only the peer. */
  clientAddress: boolean
  service: string
  servicePort: number
  workloadPort: number
  /** A request without a body. */
  reads: boolean
  /** Rendered pieces of the line, see `line.ts`. */
  head: string
  protocol: string
  protocolRefused: string
  protocolOutbound: string
  /** By gRPC status. */
  requests: Map<string, string>
  serverName: string
  agent: string
  routeName: string
  upstreamCluster: string
  outboundCluster: string
  externalSite: Site | undefined
  externalPort: number
}

export interface Routing {
  world: World
  ledger: Ledger
  /** Edges as `edgeName` that the caller's sidecar logs too. */
  bothSided: ReadonlySet<string>
}

export const edgeName = (caller: string, service: string) => `${caller}>${service}`

const ENFORCED_NAMESPACE = 'payments'

/** Opens the tallies and fixes what the lines of this route share. */
export function createRoute(
  routing: Routing,
  format: LineFormat,
  call: CallSpec,
  from: Site | undefined,
  to: Site,
  journey: JourneySpec,
): Route {
  const { world, ledger } = routing
  const { servicePort, workloadPort } = world.port(to, call.protocol)
  const ingress = to.spec.name === 'istio-ingressgateway'
  const egress = to.spec.name === 'istio-egressgateway'
  const behindIngress = from?.spec.name === 'istio-ingressgateway'
  const kubelet = journey.from === 'kubelet'
  const mtls = !call.direct && from !== undefined && from.spiffe !== ''
  const outside = call.externalHost ? world.answering(call.externalHost, to.cluster)[0] : call.direct ? to : undefined
  const externalPort = outside?.spec.ports[0]?.servicePort ?? 0
  const operation = operationOf(call, from, to, kubelet, { servicePort, workloadPort, mtls })
  const bothSides = mtls && !behindIngress && routing.bothSided.has(edgeName(from.spec.name, to.service))
  operation.reporters = [call.direct ? 'source' : ingress || egress ? 'gateway' : 'destination']
  if (bothSides) operation.reporters.push('source')
  if (behindIngress) operation.reporters.push('gateway')
  const http2 = call.protocol === 'grpc' || ingress
  const protocol = http2 ? 'HTTP/2' : 'HTTP/1.1'
  const host = `${to.service}.svc.cluster.local`
  return {
    tally: ledger.open(operation),
    plant: call.evidence ? ledger.plant(journey.plant) : undefined,
    beyond: egress && outside ? ledger.open(beyondGateway(operation, to, outside, externalPort)) : undefined,
    writer: call.direct && from ? from.cluster : to.cluster,
    ingress,
    gateway: ingress || egress,
    direct: call.direct,
    kubelet,
    mtls,
    traced: !kubelet && (mtls || ingress),
    http2,
    bothSides,
    clientAddress: ingress || behindIngress,
    service: to.service,
    servicePort,
    workloadPort,
    reads: ['GET', 'OPTIONS', 'DELETE'].includes(call.method),
    head: headOf(authorityOf(call, from, to, ingress || behindIngress, servicePort)),
    protocol: protocolOf(format, protocol, to.spec.namespace === ENFORCED_NAMESPACE ? allowedBy(to) : 'null'),
    protocolRefused: protocolOf(format, protocol, '{"enforced_engine_result":"denied"}'),
    protocolOutbound: protocolOf(format, protocol, 'null'),
    requests: new Map(),
    serverName: ingress ? PUBLIC_HOST : mtls ? `outbound_.${servicePort}_._.${host}` : '',
    agent: kubelet ? 'kube-probe/1.34' : call.protocol === 'grpc' ? 'grpc-go/1.75.0' : (from?.agent ?? ''),
    routeName: call.direct ? 'allow_any' : ingress || egress ? '' : 'default',
    upstreamCluster: upstreamOf(world, call, to, workloadPort, externalPort),
    outboundCluster: `outbound|${servicePort}||${host}`,
    externalSite: outside,
    externalPort,
  }
}

function authorityOf(
  call: CallSpec,
  from: Site | undefined,
  to: Site,
  publicHost: boolean,
  servicePort: number,
): string {
  if (call.externalHost) return call.externalHost
  if (call.direct) return to.spec.name
  if (publicHost) return PUBLIC_HOST
  // The kubelet asks for the pod's address, which differs from call to call.
  if (!from) return ''
  const name = from.spec.namespace === to.spec.namespace ? to.spec.service : to.service
  return servicePort === 80 ? name : `${name}:${servicePort}`
}

function upstreamOf(world: World, call: CallSpec, to: Site, workloadPort: number, externalPort: number): string {
  if (call.direct) return 'PassthroughCluster'
  if (call.noRoute) return ''
  if (call.externalHost) return `outbound|${externalPort}||${call.externalHost}`
  const [behind] = call.calls
  const next = behind && world.answering(behind.service, to.cluster)[0]
  if (to.spec.name === 'istio-ingressgateway' && behind && next)
    return `outbound|${world.port(next, behind.protocol).servicePort}||${next.service}.svc.cluster.local`
  return `inbound|${workloadPort}||`
}

function allowedBy(to: Site): string {
  const id = `ns[${to.spec.namespace}]-policy[${to.spec.service}-callers]-rule[0]`
  return `{"enforced_effective_policy_id":"${id}","enforced_engine_result":"allowed"}`
}

function operationOf(
  call: CallSpec,
  from: Site | undefined,
  to: Site,
  kubelet: boolean,
  ports: { servicePort: number; workloadPort: number; mtls: boolean },
): TruthOperation {
  return {
    source: from ? partyOf(from, ports.mtls) : outsideParty(kubelet ? 'node' : 'external', kubelet ? to.cluster : -1),
    destination: { ...partyOf(to, true), service: to.service },
    service_port: ports.servicePort,
    workload_port: ports.workloadPort,
    protocol: call.protocol,
    method: call.method,
    path: call.path.template,
    parameter_values: valuesOf(call),
    mtls: ports.mtls,
    external_host: call.externalHost || (call.direct ? to.spec.name : ''),
    reporters: [],
  }
}

/** Parameters of the query are not in the template, so they are not counted. */
function valuesOf({ path }: CallSpec): number[] {
  const inPath = path.literals.findIndex((literal) => literal.includes('?'))
  const count = inPath < 0 ? path.parameters.length : inPath
  return path.parameters.slice(0, count).map(({ index }) => poolSize(index))
}

function beyondGateway(operation: TruthOperation, gateway: Site, outside: Site, port: number): TruthOperation {
  return {
    ...operation,
    source: partyOf(gateway, false),
    destination: { ...partyOf(outside, false), service: '' },
    service_port: port,
    workload_port: port,
    mtls: false,
    reporters: ['gateway'],
  }
}

function partyOf(site: Site, identified: boolean): TruthParty {
  const { spec } = site
  const external = spec.kind === 'external'
  return {
    kind: external ? 'external' : 'workload',
    cluster: external ? '' : (CLUSTERS[site.cluster] ?? ''),
    namespace: spec.namespace,
    workload: spec.name,
    principal: identified ? site.spiffe.replace('spiffe://', '') : '',
  }
}

function outsideParty(kind: 'node' | 'external', cluster: number): TruthParty {
  const workload = kind === 'node' ? 'kubelet' : 'internet'
  return { kind, cluster: CLUSTERS[cluster] ?? '', namespace: '', workload, principal: '' }
}

/** The edges whose callers log too: the `fraction` of all meshed edges with the lowest hash, at least one above 0. */
export function chooseBothSided(world: World, journeys: JourneySpec[], fraction: number, seed: number): Set<string> {
  const edges = new Set<string>()
  const walk = (caller: string, calls: CallSpec[]) => {
    for (const call of calls) {
      const site = world.answering(call.service, 0)[0]
      const meshed = world.answering(caller, 0)[0]?.spiffe && !caller.endsWith('gateway') && !call.direct
      if (site && meshed) edges.add(edgeName(caller, site.service))
      walk(call.service, call.calls)
    }
  }
  for (const journey of journeys) walk(journey.from, journey.calls)
  const ordered = [...edges].sort((a, b) => hash32(a, seed) - hash32(b, seed))
  return new Set(ordered.slice(0, Math.ceil(ordered.length * fraction)))
}
