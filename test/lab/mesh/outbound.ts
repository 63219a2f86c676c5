import type { Setup } from './bootstrap.ts'
import {
  clusterTo,
  connectionManager,
  type Endpoint,
  type Json,
  PROXY_PROTOCOL,
  socketAddress,
  tcpProxy,
  upstreamTls,
} from './parts.ts'
import { outboundRoutes } from './routes.ts'
import { loggers, tracing } from './telemetry.ts'
import { outboundCluster, principalOf, SERVICES, type Service, serverName, TRANSIT, workloadOf } from './world.ts'

/** Where a sidecar takes its application's connections; iptables would bring them here. */
export const OUTBOUND_PORT = 15001
/** Where the transit gateway takes connections of the other cluster. */
const TRANSIT_PORT = 15443

/** One listener with a chain per service port, and everything else passed through (ALLOW_ANY). */
export function outboundListener({ workload, addresses, logs, reporting }: Setup): Json {
  const access_log = loggers('http', workload, logs, reporting)
  const tcp = loggers('tcp', workload, logs, reporting)
  const ports = [...new Set(SERVICES.map(({ servicePort }) => servicePort))]
  const filter_chains = ports.map((destination_port) => {
    const [first] = SERVICES.filter(({ servicePort }) => servicePort === destination_port)
    const manager = () =>
      connectionManager({
        name: `outbound_${destination_port}`,
        routes: outboundRoutes(destination_port),
        access_log,
        tracing: tracing(workload, reporting),
      })
    const proxied = first?.protocol === 'tcp' ? tcpProxy(outboundCluster(first), tcp) : manager()
    return { filter_chain_match: { destination_port }, filters: [proxied] }
  })
  return {
    name: 'virtualOutbound',
    traffic_direction: 'OUTBOUND',
    address: socketAddress(addresses.pod(workload.id), OUTBOUND_PORT),
    listener_filters: [PROXY_PROTOCOL],
    filter_chains,
    default_filter_chain: { filters: [tcpProxy('PassthroughCluster', tcp)] },
  }
}

/** A cluster for each service of the mesh, and for each subset of a canary. */
export function outboundClusters(setup: Setup): Json[] {
  return SERVICES.filter(({ backends }) =>
    backends.every(({ workload }) => workloadOf(workload).role !== 'outside'),
  ).flatMap((service) => [
    clusterOf(setup, service, ''),
    ...service.backends.filter(({ subset }) => subset !== '').map(({ subset }) => clusterOf(setup, service, subset)),
  ])
}

function clusterOf({ workload, certificate, authorities, addresses }: Setup, service: Service, subset: string): Json {
  const backends = service.backends.filter((backend) => subset === '' || backend.subset === subset)
  const endpoints = backends.map((backend): Endpoint => {
    const callee = workloadOf(backend.workload)
    const away = callee.cluster !== workload.cluster && callee.role === 'sidecar'
    if (away) return { address: addresses.pod(TRANSIT), port: TRANSIT_PORT }
    return { address: addresses.pod(callee.id), port: service.workloadPort }
  })
  const [first] = backends
  const callee = workloadOf(first?.workload ?? '')
  const from = addresses.pod(workload.id)
  const name = outboundCluster(service, subset)
  // A workload without an Envoy understands no mutual TLS: the hop to it is plain.
  if (callee.role === 'none') return clusterTo(name, endpoints, { from })
  const alpn = service.protocol === 'grpc' ? ['h2'] : service.protocol === 'tcp' ? ['istio'] : ['istio-http/1.1']
  const peer = { principal: principalOf(callee), sni: serverName(service, subset), alpn }
  const transport = upstreamTls(certificate, authorities, peer)
  return clusterTo(name, endpoints, { from, transport, http2: service.protocol === 'grpc' })
}
