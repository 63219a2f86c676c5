-- Who a resource is: asked once for all its spans, before they are unfolded.
  {resource:service.name} AS service,
  if({resource:k8s.namespace.name} != '', {resource:k8s.namespace.name}, {resource:service.namespace}) AS namespace,
  multiIf(
    {resource:k8s.deployment.name} != '', {resource:k8s.deployment.name},
    {resource:k8s.statefulset.name} != '', {resource:k8s.statefulset.name},
    {resource:k8s.daemonset.name} != '', {resource:k8s.daemonset.name},
    {resource:k8s.cronjob.name} != '', {resource:k8s.cronjob.name}, service) AS workload
