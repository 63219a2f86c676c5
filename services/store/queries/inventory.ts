import type { ClickHouseClient } from '@clickhouse/client'
import type { Inventory, Service, Workload } from '../../model/inventory.ts'
import { query } from '../store.ts'

export async function declareWorkloads(client: ClickHouseClient, workloads: Workload[]): Promise<void> {
  if (workloads.length === 0) return
  await client.insert({
    table: 'declared_workload',
    format: 'JSONEachRow',
    columns: ['cluster', 'namespace', 'name', 'kind', 'service_account', 'labels', 'owner'],
    values: workloads.map(({ serviceAccount, ...workload }) => ({ ...workload, service_account: serviceAccount })),
  })
}

export async function declareServices(client: ClickHouseClient, services: Service[]): Promise<void> {
  if (services.length === 0) return
  await client.insert({
    table: 'declared_service',
    format: 'JSONEachRow',
    columns: ['cluster', 'namespace', 'name', 'selector', 'ports'],
    values: services.map((service) => ({
      ...service,
      ports: service.ports.map((port) => ({
        name: port.name,
        service_port: port.servicePort,
        workload_port: port.workloadPort,
        protocol: port.protocol,
      })),
    })),
  })
}

/** Everything that is declared, the latest word on each object. */
export async function readInventory(client: ClickHouseClient): Promise<Inventory> {
  const workloads = await query<Omit<Workload, 'serviceAccount'> & { service_account: string }>(
    client,
    'SELECT cluster, namespace, name, kind, service_account, labels, owner FROM declared_workload FINAL ORDER BY cluster, namespace, name',
  )
  const services = await query<
    Omit<Service, 'ports'> & {
      ports: { name: string; service_port: number; workload_port: number; protocol: string }[]
    }
  >(
    client,
    'SELECT cluster, namespace, name, selector, ports FROM declared_service FINAL ORDER BY cluster, namespace, name',
  )
  return {
    workloads: workloads.map(({ service_account, ...workload }) => ({ ...workload, serviceAccount: service_account })),
    services: services.map((service) => ({
      ...service,
      ports: service.ports.map((port) => ({
        name: port.name,
        servicePort: port.service_port,
        workloadPort: port.workload_port,
        protocol: port.protocol,
      })),
    })),
  }
}
