-- Which workload a resource is: asked once for all its records, before they are unfolded.
  {resource:k8s.namespace.name} AS kubernetes_namespace, {resource:k8s.container.name} AS container,
  -- What Envoy says of itself: `sidecar~10.1.2.3~orders-7d9c5b8f6-x2x4z.shop~shop.svc.cluster.local` and `orders.shop`.
  splitByChar('.', splitByChar('~', {resource:node_name})[3]) AS node_pod, splitByChar('.', {resource:cluster_name}) AS cluster_parts,
  multiIf(
    kubernetes_namespace != '', kubernetes_namespace,
    node_pod[1] != '', node_pod[2],
    {resource:service.namespace} != '', {resource:service.namespace}, cluster_parts[2]) AS pod_namespace,
  {resource:k8s.pod.name} AS pod,
  multiIf(
    {resource:k8s.deployment.name} != '', {resource:k8s.deployment.name},
    {resource:k8s.statefulset.name} != '', {resource:k8s.statefulset.name},
    {resource:k8s.daemonset.name} != '', {resource:k8s.daemonset.name},
    {resource:k8s.cronjob.name} != '', {resource:k8s.cronjob.name},
    pod != '', {workload:pod},
    node_pod[1] != '', {workload:node_pod[1]},
    {resource:service.name} != '', {resource:service.name},
    cluster_parts[1]) AS pod_workload,
  -- `service.name` is what an application says of itself; the other names are the collector's, or Envoy's own, word.
  {resource:service.name} != '' AND pod = '' AND node_pod[1] = '' AND {resource:k8s.deployment.name} = '' AND {resource:k8s.statefulset.name} = ''
    AND {resource:k8s.daemonset.name} = '' AND {resource:k8s.cronjob.name} = '' AS is_name_claimed
