import { SERVICES, WORKLOADS, workloadOf } from './world.ts'

/** Whose the workloads of a namespace are. */
export const ownerOf = (namespace: string) => `team-${namespace}`

/** The mesh as its clusters would declare it: Deployments and Services, one JSON object a document (JSON is YAML). */
export function objectsOf(): string {
  const deployments = WORKLOADS.filter(({ role }) => role !== 'outside').map(
    ({ name, namespace, account, labels }) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, labels: { owner: ownerOf(namespace) } },
      spec: { template: { metadata: { labels }, spec: { serviceAccountName: account } } },
    }),
  )
  const services = SERVICES.filter(({ namespace }) => namespace !== '').map((service) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: service.host.split('.')[0], namespace: service.namespace },
    spec: {
      selector: { app: workloadOf(service.backends[0]?.workload ?? '').labels['app'] },
      ports: [
        {
          name: `${service.protocol}-${service.servicePort}`,
          port: service.servicePort,
          targetPort: service.workloadPort,
        },
      ],
    },
  }))
  return [...deployments, ...services].map((object) => JSON.stringify(object)).join('\n---\n')
}
