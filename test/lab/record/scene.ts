import { type KeyObject, sign } from 'node:crypto'
import type { Bootstrap, HttpFilter } from '../envoy-config.ts'
import { alsLoggers, otelLoggers } from './loggers.ts'

const TYPE = 'type.googleapis.com/envoy.extensions'

interface Filter {
  name: string
  typed_config: { '@type': string; access_log?: unknown[]; [field: string]: unknown }
}
interface Listener {
  name: string
  filter_chains: { filters: Filter[]; transport_socket?: unknown }[]
  [field: string]: unknown
}
interface Cluster {
  name: string
  [field: string]: unknown
}
interface Resources {
  listeners: Listener[]
  clusters: Cluster[]
}

const resourcesOf = (bootstrap: Bootstrap) => bootstrap['static_resources'] as Resources

const address = (host: string, port: number) => ({ socket_address: { address: host, port_value: port } })

/** A cluster of the addresses, in their order. */
export function cluster(name: string, endpoints: [host: string, port: number][], more: object = {}): Cluster {
  const lb_endpoints = endpoints.map(([host, port]) => ({ endpoint: { address: address(host, port) } }))
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
    ...more,
  }
}

/** HTTP/2 without TLS, for the recorder. */
const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}

/** The Pod that an Envoy belongs to, as Istio names its nodes. */
export interface Pod {
  namespace: string
  workload: string
  address: string
}

/** Adds what a proxy of Istio says of itself, the recorder's loggers on every filter chain, and the way to the recorder. */
export function recorded(bootstrap: Bootstrap, pod: Pod, recorder: { grpcPort: number; httpPort: number }): Bootstrap {
  const { listeners, clusters } = resourcesOf(bootstrap)
  for (const { filters } of listeners.flatMap((listener) => listener.filter_chains)) {
    for (const { typed_config: config } of filters) {
      const http = config['@type'].endsWith('HttpConnectionManager')
      if (!http && !config['@type'].endsWith('TcpProxy')) continue
      config.access_log = [
        ...(config.access_log ?? []),
        ...alsLoggers(http ? 'http' : 'tcp'),
        ...otelLoggers(recorder.httpPort, pod),
      ]
    }
  }
  clusters.push(cluster('recorder', [['127.0.0.1', recorder.grpcPort]], HTTP2))
  clusters.push(cluster('recorder_http', [['127.0.0.1', recorder.httpPort]]))
  const name = `${pod.workload}-7d9c5b8f6-x2x4z`
  const node = {
    id: `sidecar~${pod.address}~${name}.${pod.namespace}~${pod.namespace}.svc.cluster.local`,
    cluster: `${pod.workload}.${pod.namespace}`,
    metadata: { NAMESPACE: pod.namespace, WORKLOAD_NAME: pod.workload, NAME: name, CLUSTER_ID: 'east' },
    locality: { region: 'eu-central-1', zone: 'eu-central-1a' },
  }
  return { ...bootstrap, node }
}

/** The listener of an Envoy by its name. */
export function listenerOf(bootstrap: Bootstrap, name: string): Listener {
  const found = resourcesOf(bootstrap).listeners.find((listener) => listener.name === name)
  if (!found) throw new Error(`no listener ${name}`)
  return found
}

export const addListener = (bootstrap: Bootstrap, listener: Listener) => resourcesOf(bootstrap).listeners.push(listener)
export const addCluster = (bootstrap: Bootstrap, added: Cluster) => resourcesOf(bootstrap).clusters.push(added)
export function clusterOf(bootstrap: Bootstrap, name: string): Cluster {
  const found = resourcesOf(bootstrap).clusters.find((known) => known.name === name)
  if (!found) throw new Error(`no cluster ${name}`)
  return found
}

/** Lets WebSockets through a listener; `entries` also logs when a request starts and while it runs, not only at its end. */
export function letStreamsThrough(bootstrap: Bootstrap, listener: string, entries: boolean): void {
  const filters = listenerOf(bootstrap, listener).filter_chains.flatMap((chain) => chain.filters)
  for (const { typed_config: config } of filters) {
    config['upgrade_configs'] = [{ upgrade_type: 'websocket' }]
    if (entries)
      config['access_log_options'] = { flush_access_log_on_new_request: true, access_log_flush_interval: '0.4s' }
  }
}

/** A listener that passes connections on to `clusterName`. */
export function tcpListener(options: {
  name: string
  direction: 'INBOUND' | 'OUTBOUND'
  host: string
  port: number
  clusterName: string
  accessLog: unknown[]
  transportSocket?: unknown
  listenerFilters?: unknown
  filters?: Filter[]
}): Listener {
  const proxy = {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: options.name,
      cluster: options.clusterName,
      access_log: options.accessLog,
    },
  }
  return {
    name: options.name,
    traffic_direction: options.direction,
    address: address(options.host, options.port),
    ...(options.listenerFilters !== undefined && { listener_filters: options.listenerFilters }),
    filter_chains: [
      {
        filters: [...(options.filters ?? []), proxy],
        ...(options.transportSocket !== undefined && { transport_socket: options.transportSocket }),
      },
    ],
  }
}

/** RBAC for connections: refuses those whose peer is `principal`. */
export function denyPeer(policy: string, principal: string): Filter {
  return {
    name: 'envoy.filters.network.rbac',
    typed_config: {
      '@type': `${TYPE}.filters.network.rbac.v3.RBAC`,
      stat_prefix: 'tcp_',
      rules: {
        action: 'DENY',
        policies: {
          [policy]: {
            permissions: [{ any: true }],
            principals: [{ authenticated: { principal_name: { exact: `spiffe://${principal}` } } }],
          },
        },
      },
    },
  }
}

/** Verifies tokens of `issuer` where there are any, and keeps their payload for the log. */
export function jwtFilter(issuer: string, key: KeyObject): HttpFilter {
  const jwks = { keys: [{ ...key.export({ format: 'jwk' }), kid: 'lab', alg: 'ES256', use: 'sig' }] }
  return {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': `${TYPE}.filters.http.jwt_authn.v3.JwtAuthentication`,
      providers: {
        lab: {
          issuer,
          local_jwks: { inline_string: JSON.stringify(jwks) },
          payload_in_metadata: 'payload',
          forward: true,
        },
      },
      rules: [
        {
          match: { prefix: '/' },
          requires: { requires_any: { requirements: [{ provider_name: 'lab' }, { allow_missing: {} }] } },
        },
      ],
    },
  }
}

/** A token with the claims, signed as `jwtFilter` verifies it. */
export function token(claims: object, key: KeyObject): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'ES256', kid: 'lab', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
