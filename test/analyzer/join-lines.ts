/* Single lines of Istio's default format, wrapped as Fluent Bit does it, all of one moment. */

const at = '2026-11-05T10:00:30.000Z'
const pod = (workload: string, log: Record<string, unknown>) =>
  JSON.stringify({
    log: JSON.stringify({ start_time: at, method: 'GET', path: '/a', response_code: 200, duration: 5, ...log }),
    kubernetes: { namespace_name: 'shop', pod_name: `${workload}-5f7c9d8b6d-x2x4z`, container_name: 'istio-proxy' },
  })

/** `orders` takes a call from an address and a port. */
export const taken = (remote: string, more = {}) =>
  pod('orders', {
    upstream_cluster: 'inbound|8080||',
    upstream_host: '127.0.0.1:8080',
    upstream_local_address: '127.0.0.6:1',
    downstream_local_address: '10.0.0.2:8080',
    downstream_remote_address: remote,
    ...more,
  })

/** A workload's own line of a call that it makes to `orders`, from its address and port. */
export const openedBy = (workload: string, local: string, more = {}) =>
  pod(workload, {
    upstream_cluster: 'outbound|80||orders.shop.svc.cluster.local',
    upstream_host: '10.0.0.2:8080',
    upstream_local_address: local,
    downstream_local_address: '10.96.0.1:80',
    downstream_remote_address: `${local.split(':')[0]}:9`,
    ...more,
  })
