import { type Bootstrap, type Callee, serviceHost } from '../envoy-config.ts'
import { addCluster, cluster, listenerOf } from './scene.ts'

const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}

/**
 * Makes an ingress gateway of a caller's proxy: it listens on its own address, for hosts from outside, and has routes that
 * redirect, retry, and lead nowhere.
 */
export function gatewayConfig(bootstrap: Bootstrap, callee: Callee, address: string): Bootstrap {
  const host = serviceHost(callee)
  const listener = listenerOf(bootstrap, 'outbound')
  listener['address'] = { socket_address: { address, port_value: 0 } }
  const bind = { upstream_bind_config: { source_address: { address, port_value: 0 } } }
  // Nothing listens on port 9 of the callee's address.
  const refused: [string, number] = [callee.applicationAddress, 9]
  const served: [string, number] = [callee.applicationAddress, 8080]
  addCluster(bootstrap, cluster(`outbound|81||${host}`, [served], bind))
  addCluster(bootstrap, cluster(`outbound|82||${host}`, [refused], bind))
  addCluster(bootstrap, cluster(`outbound|7070||${host}`, [[callee.applicationAddress, 7070]], { ...bind, ...HTTP2 }))
  const retry_policy = { retry_on: 'connect-failure,5xx', num_retries: 2 }
  const to = (port: number) => ({ cluster: `outbound|${port}||${host}`, timeout: '5s', retry_policy })
  const virtual_hosts = [
    {
      name: 'shop',
      domains: ['shop.example.com'],
      routes: [
        { name: 'moved', match: { prefix: '/old/' }, redirect: { prefix_rewrite: '/new/' } },
        { name: 'retried', match: { prefix: '/retried/' }, route: to(81) },
        { name: 'down', match: { prefix: '/down' }, route: to(82) },
        { name: 'orders', match: { prefix: '/' }, route: to(80) },
      ],
    },
    { name: 'grpc', domains: ['grpc.example.com'], routes: [{ match: { prefix: '/' }, route: to(7070) }] },
  ]
  for (const { typed_config: config } of listener.filter_chains.flatMap(({ filters }) => filters)) {
    config['use_remote_address'] = true
    config['route_config'] = { name: 'edge', virtual_hosts }
  }
  return bootstrap
}
