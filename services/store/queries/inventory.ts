import type { ClickHouseClient } from '@clickhouse/client'
import type { Inventory, Service, Workload } from '../../model/inventory.ts'
import { insertRows, query } from '../store.ts'

export async function declareWorkloads(client: ClickHouseClient, workloads: Workload[]): Promise<void> {
  await insertRows(
    client,
    'declared_workload',
    'cluster String, namespace String, name String, kind String, service_account String, labels Map(String, String), owner String',
    workloads.map(({ serviceAccount, ...workload }) => ({ ...workload, service_account: serviceAccount })),
  )
}

export async function declareServices(client: ClickHouseClient, services: Service[]): Promise<void> {
  await insertRows(
    client,
    'declared_service',
    'cluster String, namespace String, name String, selector Map(String, String), ports Array(Tuple(name String, service_port UInt16, workload_port UInt16, protocol String))',
    services.map((service) => ({
      ...service,
      ports: service.ports.map((port) => ({
        name: port.name,
        service_port: port.servicePort,
        workload_port: port.workloadPort,
        protocol: port.protocol,
      })),
    })),
  )
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
