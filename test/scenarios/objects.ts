import { stringify } from 'yaml'
import { shopJourneys } from './generate.ts'
import type { CallSpec, WorkloadSpec } from './tables.ts'
import { CANARY, type Cluster, createWorld, nodeAddress, TRUST_DOMAIN, workloadSpecs } from './world.ts'

/** A Kubernetes object as the API server gives it. */
export type KubernetesObject = { apiVersion: string; kind: string } & Record<string, unknown>

/**
 * What `kubectl get -o yaml` would tell of one cluster's shop: Namespace, ServiceAccount, Deployment, StatefulSet, CronJob
 * and Service; with `pods` also each Pod with its address and owner (for callers that only their address tells).
 */
export function shopObjects(cluster: Cluster, options: { pods?: boolean } = {}): KubernetesObject[] {
  const specs = workloadSpecs.filter(({ kind, clusters }) => kind !== 'external' && clusters.includes(cluster))
  const namespaces = [...new Set(specs.map(({ namespace }) => namespace))]
  const accounts = new Set(specs.map(({ namespace, account }) => `${namespace}/${account}`))
  return [
    ...namespaces.map(namespaceObject),
    ...[...accounts].map(accountObject),
    ...specs.map(controllerObject),
    ...specs.filter(({ service, name }) => service && name !== CANARY).map(serviceObject),
    ...(options.pods ? podObjects(cluster) : []),
  ]
}

/**
 * The policies that are deployed in the shop: payments is enforced (each workload allows the callers that have business
 * with it), mutual TLS is permissive everywhere since legacy-erp has no sidecar. They explain every denial of the scenario.
 */
export function shopPolicies(): KubernetesObject[] {
  const guarded = workloadSpecs.filter(({ namespace }) => namespace === 'payments')
  const permissive = { mtls: { mode: 'PERMISSIVE' } }
  return [
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: 'istio-system' },
      spec: permissive,
    },
    ...guarded.map(({ namespace, name, service }) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `${service}-callers`, namespace },
      spec: {
        action: 'ALLOW',
        selector: { matchLabels: { app: name } },
        rules: [{ from: [{ source: { principals: principalsOf(callersOf(service)) } }] }],
      },
    })),
  ]
}

/** Several objects as one YAML stream. */
export function toYaml(objects: KubernetesObject[]): string {
  return objects.map((object) => `---\n${stringify(object)}`).join('')
}

/** Names of the workloads whose calls to `service` are meant to be allowed. */
function callersOf(service: string): string[] {
  const callers = new Set<string>()
  const walk = (caller: string, calls: CallSpec[]) => {
    for (const call of calls) {
      if (call.service === service && !call.refused) callers.add(caller)
      walk(call.service, call.calls)
    }
  }
  for (const journey of shopJourneys()) walk(journey.from, journey.calls)
  return [...callers].sort()
}

function principalsOf(workloads: string[]): string[] {
  const specs = workloadSpecs.filter(({ name }) => workloads.includes(name))
  return specs.map(({ namespace, account }) => `${TRUST_DOMAIN}/ns/${namespace}/sa/${account}`)
}

function namespaceObject(name: string): KubernetesObject {
  const injection = name === 'legacy' || name === 'istio-system' ? 'disabled' : 'enabled'
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'istio-injection': injection } } }
}

function accountObject(key: string): KubernetesObject {
  const [namespace, name] = key.split('/')
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } }
}

/** Labels of the pods: the application, and the version that the canary differs in. */
function labelsOf({ name, service }: WorkloadSpec) {
  const app = name === CANARY ? service : name
  return { app, version: name === CANARY ? 'v2' : 'v1' }
}

function controllerObject(spec: WorkloadSpec): KubernetesObject {
  const { namespace, name, kind, account, replicas, team } = spec
  const labels = labelsOf(spec)
  const metadata = { name, namespace, labels: { ...labels, owner: `team-${team}` } }
  const ports = spec.ports.map((port) => ({ name: port.name, containerPort: port.workloadPort }))
  const image = `registry.shop.example/${labels.app}:${labels.version === 'v2' ? '2.0.0' : '1.8.3'}`
  const container = { name: labels.app, image, ...(ports.length > 0 ? { ports } : {}) }
  const template = { metadata: { labels }, spec: { serviceAccountName: account, containers: [container] } }
  if (kind !== 'CronJob') {
    const selector = { matchLabels: labels }
    const stateful = kind === 'StatefulSet' ? { serviceName: spec.service } : {}
    return { apiVersion: 'apps/v1', kind, metadata, spec: { replicas, selector, ...stateful, template } }
  }
  const job = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } }
  const schedule = name === 'reports' ? '0 22 28-31 * *' : '10 2 * * *'
  return { apiVersion: 'batch/v1', kind, metadata, spec: { schedule, jobTemplate: { spec: { template: job } } } }
}

/** `targetPort` is the container port's name, as charts like to write it, except for the gateways. */
function serviceObject(spec: WorkloadSpec): KubernetesObject {
  const { namespace, service, ports, team } = spec
  const byNumber = namespace === 'istio-system'
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: service, namespace, labels: { app: service, owner: `team-${team}` } },
    spec: {
      selector: { app: service },
      ports: ports.map(({ name, servicePort, workloadPort }) => ({
        name,
        port: servicePort,
        targetPort: byNumber ? workloadPort : name,
        protocol: 'TCP',
      })),
    },
  }
}

function podObjects(cluster: Cluster): KubernetesObject[] {
  const sites = createWorld().sites.filter(({ spec }) => spec.kind !== 'external' && spec.clusters.includes(cluster))
  const here = sites.filter((site) => site.pods[0]?.address.startsWith(cluster === 'east' ? '10.1.' : '10.2.'))
  return here.flatMap(({ spec, pods }) =>
    pods.map((pod, i) => {
      const suffix = spec.kind === 'StatefulSet' ? String(i) : `7c9d8f6b5${i}-x${pod.id.toString(36)}q`
      const owner = { apiVersion: 'apps/v1', kind: spec.kind, name: spec.name, controller: true }
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `${spec.name}-${suffix}`,
          namespace: spec.namespace,
          labels: labelsOf(spec),
          ownerReferences: [spec.kind === 'CronJob' ? { ...owner, apiVersion: 'batch/v1' } : owner],
        },
        spec: { serviceAccountName: spec.account },
        status: { phase: 'Running', podIP: pod.address, hostIP: nodeAddress(pod) },
      }
    }),
  )
}
