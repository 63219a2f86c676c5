import { createClock, Traveller, type Trip } from './journey.ts'
import {
  type Connection,
  flat,
  headOf,
  type LineFormat,
  type LineParts,
  openConnection,
  renderLine,
  requestOf,
} from './line.ts'
import { decide, type Outcome, seenByCaller } from './outcome.ts'
import { type Random, random } from './random.ts'
import { HOUR_MS } from './rhythm.ts'
import { createRoute, type Route, type Routing } from './route.ts'
import type { CallSpec } from './tables.ts'
import { count, type Ledger } from './truth.ts'
import { ANONYMOUS_JWT } from './users.ts'
import {
  CANARY,
  CANARY_SHARE,
  certificateOf,
  clusterAddress,
  nodeAddress,
  type Pod,
  rotationAfter,
  type Site,
  type World,
} from './world.ts'

/** Share of customers' journeys that enter at `east`. */
const EAST_SHARE = 0.6
/** Length of Envoy's `RBAC: access denied`. */
const REFUSAL_BYTES = 19

interface Answer {
  endMs: number
  pod: Pod
  /** The caller's side of the connection to that pod: what the caller's own proxy logs as its upstream. */
  local: string
  host: string
  outcome: Outcome
}

/** Makes the calls of journeys: decides, counts them in the ledger and hands each line to `write`. */
export class Driver {
  readonly #world: World
  readonly #routing: Routing
  readonly #ledger: Ledger
  readonly #format: LineFormat
  readonly #canaryMs: number
  readonly #write: (cluster: number, line: string) => void
  readonly #draw: Random
  readonly #traveller: Traveller
  readonly #clock = createClock()
  readonly #connections = new Map<number, Connection>()
  readonly #routes = new Map<CallSpec, Map<number, Route>>()

  constructor(
    world: World,
    routing: Routing,
    options: { seed: number; format: LineFormat; canaryMs: number },
    write: (cluster: number, line: string) => void,
  ) {
    this.#world = world
    this.#routing = routing
    this.#ledger = routing.ledger
    this.#format = options.format
    this.#canaryMs = options.canaryMs
    this.#write = write
    this.#draw = random(options.seed, 'calls')
    this.#traveller = new Traveller(options.seed)
  }

  /** Makes one journey that begins at `timeMs`. */
  run(journey: Trip['journey'], timeMs: number): void {
    const trip = this.#traveller.begin(journey, EAST_SHARE)
    this.#ledger.journeys.add(journey.name)
    const site = this.#world.site(journey.from, trip.cluster)
    if (site) trip.cluster = site.cluster
    const pod = site && this.#anyPod(site)
    this.#calls(journey.calls, pod, trip, timeMs)
  }

  /** One after the other; the end of the last, and its answer. */
  #calls(
    calls: CallSpec[],
    caller: Pod | undefined,
    trip: Trip,
    timeMs: number,
  ): { endMs: number; last: Answer | undefined } {
    let endMs = timeMs
    let last: Answer | undefined
    for (const call of calls) {
      let times = Math.floor(call.times)
      if (call.times > times && this.#draw() < call.times - times) times++
      for (let i = 0; i < times; i++) {
        last = this.#call(call, caller, trip, endMs + 1)
        endMs = last.endMs
      }
    }
    return { endMs, last }
  }

  #call(call: CallSpec, caller: Pod | undefined, trip: Trip, timeMs: number): Answer {
    const pod = this.#choose(call, caller?.site.cluster ?? trip.cluster, timeMs)
    const route = this.#route(call, caller, pod, trip)
    const path = this.#traveller.fill(call.path, timeMs)
    const originalPath = call.originalPath ? this.#traveller.fill(call.originalPath, timeMs) : ''
    let outcome = decide(call, this.#draw)
    const own = 1 + Math.floor(-Math.log(1 - this.#draw()) * (call.method === 'GET' ? 6 : 14))
    const below = outcome.local ? { endMs: timeMs, last: undefined } : this.#calls(call.calls, pod, trip, timeMs)
    // A gateway only passes on what the service behind it answered.
    if (route.gateway && below.last) outcome = below.last.outcome
    const endMs = below.endMs + own
    count(route.tally, outcome.refused, timeMs)
    if (route.plant) count(route.plant, outcome.refused, timeMs)
    if (route.beyond) count(route.beyond, false, timeMs)
    const connection = this.#connection(route, caller, pod, trip, timeMs, below.last)
    const parts = this.#parts(call, route, trip, { path, originalPath, outcome, timeMs, durationMs: endMs - timeMs })
    if (route.clientAddress) this.#addressClient(parts, caller, trip, connection)
    else parts.remote = connection.remote
    if (route.kubelet) parts.head = headOf(`${pod.address}:${route.workloadPort}`)
    this.#write(route.writer, renderLine(connection, parts, this.#format))
    if (route.bothSides && caller) this.#writeOutbound(route, caller, pod, connection, parts)
    const crossing = caller !== undefined && caller.site.cluster !== pod.site.cluster
    const host = crossing ? `${this.#eastWest(pod).address}:15443` : `${pod.address}:${route.workloadPort}`
    return { endMs, pod, local: connection.remote, host, outcome }
  }

  #choose(call: CallSpec, from: number, timeMs: number): Pod {
    const cluster = call.cluster === '' ? from : call.cluster === 'east' ? 0 : 1
    const sites = this.#world.answering(call.service, cluster)
    const canary = sites.length > 1 && timeMs >= this.#canaryMs && this.#draw() < CANARY_SHARE
    const site = sites.find(({ spec }) => sites.length === 1 || (spec.name === CANARY) === canary)
    if (!site) throw new Error(`journeys: nothing answers for ${call.service}; is it in the workload table?`)
    return this.#anyPod(site)
  }

  #anyPod(site: Site): Pod {
    const pod = site.pods[Math.floor(this.#draw() * site.pods.length)]
    if (!pod) throw new Error(`workload table: ${site.spec.name} has no replicas`)
    return pod
  }

  #route(call: CallSpec, caller: Pod | undefined, pod: Pod, trip: Trip): Route {
    let routes = this.#routes.get(call)
    if (!routes) {
      routes = new Map()
      this.#routes.set(call, routes)
    }
    const key = (caller ? caller.site.id : 255) * 256 + pod.site.id
    let route = routes.get(key)
    if (!route) {
      route = createRoute(this.#routing, this.#format, call, caller?.site, pod.site, trip.journey)
      routes.set(key, route)
    }
    return route
  }

  #parts(
    call: CallSpec,
    route: Route,
    trip: Trip,
    made: { path: string; originalPath: string; outcome: Outcome; timeMs: number; durationMs: number },
  ): LineParts {
    const { outcome, originalPath } = made
    const size = this.#draw()
    return {
      head: route.head,
      bytesReceived: route.reads ? 0 : 40 + Math.floor(size * 1600),
      bytesSent: outcome.local ? (outcome.status === 403 ? REFUSAL_BYTES : 0) : Math.floor(size * size * size * 40_000),
      remote: '',
      durationMs: outcome.local ? 0 : made.durationMs,
      request: this.#request(call, route, trip, outcome, originalPath),
      path: this.#format === 'default' ? originalPath || made.path : made.path,
      protocol: outcome.refused ? route.protocolRefused : route.protocol,
      requestId: trip.requestId,
      outcome,
      startTime: this.#clock(made.timeMs),
      traceId: route.traced ? trip.traceId : '',
      spanId: route.traced ? this.#traveller.spanId() : '',
      serviceTimeMs: Math.max(0, made.durationMs - 1),
      agent: route.agent || trip.user.agent,
      forwardedFor: '',
    }
  }

  /** Only lines of the ingress know the user; all others say the same for each gRPC status. */
  #request(call: CallSpec, route: Route, trip: Trip, outcome: Outcome, originalPath: string): string {
    const { grpcStatus } = outcome
    const personal = route.ingress && call.method !== 'OPTIONS'
    const jwt = personal ? trip.user.jwt : ANONYMOUS_JWT
    const render = () => requestOf(this.#format, { grpcStatus, jwt, method: call.method, originalPath })
    if (personal || originalPath !== '') return render()
    let known = route.requests.get(grpcStatus)
    if (known === undefined) {
      known = flat(render())
      route.requests.set(grpcStatus, known)
    }
    return known
  }

  /** The client's address at the ingress, and behind it where X-Forwarded-For is believed: then with port 0. */
  #addressClient(parts: LineParts, caller: Pod | undefined, trip: Trip, connection: Connection): void {
    const { address } = trip.user
    parts.forwardedFor = address
    parts.agent = trip.user.agent
    parts.remote = caller ? `${address.includes(':') ? `[${address}]` : address}:0` : connection.remote
  }

  /** The same call as the caller's sidecar logs it: no principal, no server name, the callee by its Service. */
  #writeOutbound(route: Route, caller: Pod, pod: Pod, inbound: Connection, parts: LineParts): void {
    const port = 32_768 + Math.floor(this.#draw() * 28_000)
    const crossing = caller.site.cluster !== pod.site.cluster
    const host = crossing ? `${this.#eastWest(pod).address}:15443` : `${pod.address}:${route.workloadPort}`
    const connection = openConnection(
      {
        certificate: undefined,
        sourceSpiffe: '',
        destinationSpiffe: '',
        remote: `${caller.address}:${port}`,
        local: `${clusterAddress(route.service, caller.site.cluster)}:${route.servicePort}`,
        serverName: '',
        routeName: route.servicePort === 80 ? 'default' : '',
        tls: false,
        upstreamCluster: route.outboundCluster,
        upstreamHost: host,
        upstreamLocal: crossing ? `${caller.address}:${port + 1}` : inbound.remote,
      },
      0,
      this.#format,
      false,
    )
    const outcome = seenByCaller(parts.outcome)
    const seen = { ...parts, outcome, remote: connection.remote, protocol: route.protocolOutbound }
    this.#write(
      caller.site.cluster,
      renderLine(connection, { ...seen, durationMs: parts.durationMs + 1 }, this.#format),
    )
  }

  #eastWest(pod: Pod): Pod {
    const site = this.#world.site('istio-eastwestgateway', pod.site.cluster)
    const gateway = site?.pods[0]
    if (!gateway) throw new Error('workload table: istio-eastwestgateway is missing, calls cannot cross clusters')
    return gateway
  }

  /** The connection that the call travels on; sidecars keep theirs, clients of the gateways open new ones. */
  #connection(
    route: Route,
    caller: Pod | undefined,
    pod: Pod,
    trip: Trip,
    timeMs: number,
    below: Answer | undefined,
  ): Connection {
    const shared = caller !== undefined && !route.gateway && !route.direct
    const key = ((caller?.id ?? 0) * 1024 + pod.id) * 2 + (route.http2 ? 1 : 0)
    const known = shared ? this.#connections.get(key) : undefined
    if (known && known.untilMs > timeMs) return known
    const opened = this.#open(route, caller, pod, trip, timeMs, below, shared)
    if (shared) this.#connections.set(key, opened)
    return opened
  }

  #open(
    route: Route,
    caller: Pod | undefined,
    pod: Pod,
    trip: Trip,
    timeMs: number,
    below: Answer | undefined,
    shared: boolean,
  ): Connection {
    const port = 32_768 + Math.floor(this.#draw() * 28_000)
    const from = caller && caller.site.cluster !== pod.site.cluster ? this.#eastWest(pod).address : caller?.address
    const client = trip.user.address.includes(':') ? `[${trip.user.address}]` : trip.user.address
    const outside = route.kubelet ? nodeAddress(pod) : client
    const certificate = route.mtls && caller ? certificateOf(caller, timeMs) : undefined
    const expiry = certificate && caller ? rotationAfter(caller, timeMs) : Number.POSITIVE_INFINITY
    const { upstreamHost, upstreamLocal } = this.#upstream(route, caller, pod, port, below)
    const facts = {
      certificate,
      sourceSpiffe: certificate && caller ? caller.site.spiffe : '',
      destinationSpiffe: route.direct ? '' : pod.site.spiffe,
      remote: `${from ?? outside}:${port}`,
      local: `${pod.address}:${route.direct ? route.externalPort : route.workloadPort}`,
      serverName: route.serverName,
      routeName: route.routeName,
      tls: route.mtls || route.ingress,
      upstreamCluster: route.upstreamCluster,
      upstreamHost,
      upstreamLocal,
    }
    return openConnection(facts, Math.min(expiry, timeMs + (1 + this.#draw() * 5) * HOUR_MS), this.#format, shared)
  }

  /** Where the logging proxy sends the call on to, and from which address of its own. */
  #upstream(route: Route, caller: Pod | undefined, pod: Pod, port: number, below: Answer | undefined) {
    if (route.ingress && below) return { upstreamHost: below.host, upstreamLocal: below.local }
    const target = route.externalSite?.pods[0]
    if (target) {
      const leaving = route.direct && caller ? caller : pod
      return {
        upstreamHost: `${target.address}:${route.externalPort}`,
        upstreamLocal: `${leaving.address}:${port ^ 1}`,
      }
    }
    // Istio's inbound listeners call their application from this loopback address.
    return {
      upstreamHost: `${pod.address}:${route.workloadPort}`,
      upstreamLocal: `127.0.0.6:${32_768 + ((port * 7) % 28_000)}`,
    }
  }
}
