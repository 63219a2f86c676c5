import type { Json } from './parts.ts'
import { BANK, EGRESS, hostOf, outboundCluster, PUBLIC_HOST, SERVICES, type Service, serviceOf } from './world.ts'

/** How long users wait for an answer that does not come; `orders` takes longer for `/orders/slow/…`. */
const SLOW_ROUTE_TIMEOUT_MS = 500
/** The service whose callers repeat what failed with 503. */
const RETRIED = 'catalog.shop.svc.cluster.local'

/** Istio's default, less the retries that repeat what the callee may have served. */
const CONNECTION_RETRIES = { retry_on: 'connect-failure,refused-stream', num_retries: 2 }
const RETRY_UNAVAILABLE = {
  retry_on: 'connect-failure,refused-stream,retriable-status-codes',
  retriable_status_codes: [503],
  num_retries: 2,
}

const to = (cluster: string, extra: Json = {}) => ({
  cluster,
  timeout: '0s',
  retry_policy: CONNECTION_RETRIES,
  ...extra,
})

/** The routes of a sidecar towards all HTTP services on `servicePort`; what it does not know passes through. */
export function outboundRoutes(servicePort: number): Json {
  const services = SERVICES.filter((service) => service.servicePort === servicePort && service.protocol !== 'tcp')
  return {
    name: String(servicePort),
    virtual_hosts: [
      ...services.filter(isRouted).map((service) => ({
        name: `${service.host}:${servicePort}`,
        domains: [service.host, `${service.host}:${servicePort}`],
        routes: [{ name: 'default', match: { prefix: '/' }, route: routeOf(service) }],
      })),
      {
        name: 'allow_any',
        domains: ['*'],
        routes: [{ name: 'allow_any', match: { prefix: '/' }, route: { cluster: 'PassthroughCluster' } }],
      },
    ],
  }
}

/** The bank is reached through the egress gateway; the partner has no entry and passes through. */
const isRouted = ({ host, backends }: Service) => host === BANK || backends.every(({ workload }) => workload !== host)

function routeOf(service: Service): Json {
  if (service.host === BANK) return to(outboundCluster(serviceOf(hostOf(EGRESS))))
  const retries = service.host === RETRIED ? { retry_policy: RETRY_UNAVAILABLE } : {}
  if (service.backends.length === 1) return to(outboundCluster(service), retries)
  const clusters = service.backends.map(({ subset, weight }) => ({ name: outboundCluster(service, subset), weight }))
  return {
    weighted_clusters: { clusters },
    timeout: '0s',
    retry_policy: CONNECTION_RETRIES,
    ...retries,
  }
}

/** What users may reach, by path. `/api/` is cut off: `orders` never sees it. */
export function ingressRoutes(): Json {
  const orders = outboundCluster(serviceOf(hostOf('shop/orders')))
  const rewritten = { prefix_rewrite: '/' }
  const slow = { ...rewritten, timeout: `${SLOW_ROUTE_TIMEOUT_MS / 1000}s`, prefix_rewrite: '/orders/slow/' }
  const cors = {
    'envoy.filters.http.cors': {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy',
      allow_origin_string_match: [{ exact: `https://${PUBLIC_HOST}` }],
      allow_methods: 'GET,POST',
      allow_headers: 'authorization,content-type',
      max_age: '600',
    },
  }
  return {
    name: 'https.443.https.shop-gateway.istio-system',
    virtual_hosts: [
      {
        name: `${PUBLIC_HOST}:443`,
        domains: [PUBLIC_HOST, `${PUBLIC_HOST}:*`],
        typed_per_filter_config: cors,
        routes: [
          {
            name: 'login',
            match: { path: '/login' },
            route: to(outboundCluster(serviceOf(hostOf('auth/issuer')))),
          },
          { name: 'orders-slow', match: { prefix: '/api/orders/slow/' }, route: to(orders, slow) },
          { name: 'orders-api', match: { prefix: '/api/' }, route: to(orders, rewritten) },
          {
            name: 'frontend',
            match: { prefix: '/' },
            route: to(outboundCluster(serviceOf(hostOf('shop/frontend')))),
          },
        ],
      },
    ],
  }
}

/** All that a gateway or a callee's sidecar receives goes to one cluster. */
export const oneRoute = (name: string, cluster: string, domains = ['*']): Json => ({
  name,
  virtual_hosts: [{ name, domains, routes: [{ name: 'default', match: { prefix: '/' }, route: to(cluster) }] }],
})
