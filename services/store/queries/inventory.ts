import { isIP } from 'node:net'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Inventory, PodAddress, Service, Workload } from '../../model/inventory.ts'
import type { MeshTrustDomains } from '../../model/trust-domain.ts'
import { insertRows, query, run } from '../store.ts'
import { DECLARED_HOLD } from './join-addresses.ts'

export async function declareWorkloads(client: ClickHouseClient, workloads: Workload[]): Promise<void> {
  await insertRows(
    client,
    'declared_workload',
    'cluster String, namespace String, name String, kind String, service_account String, labels Map(String, String), owner String, sensitivity String, category String',
    workloads.map(({ serviceAccount, sensitivity = '', category = '', ...workload }) => ({
      ...workload,
      sensitivity,
      category,
      service_account: serviceAccount,
    })),
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

export async function declareTrustDomains(client: ClickHouseClient, meshes: MeshTrustDomains[]): Promise<void> {
  await insertRows(
    client,
    'declared_trust_domain',
    'cluster String, names Array(String)',
    meshes.map(({ cluster, names }) => ({ cluster, names })),
  )
}

/** Declares addresses as they are now, and has what came from them joined anew. An address that is none is left out. */
export async function declareAddresses(
  client: ClickHouseClient,
  addresses: PodAddress[],
  now = new Date(),
): Promise<void> {
  if (addresses.length === 0) return
  const time = (iso: string) => iso.replace('T', ' ').slice(0, -1)
  const until = time(now.toISOString())
  const readable = addresses
    .filter(({ address }) => isIP(address) !== 0)
    .map((entry) => ({ ...entry, address: mapped(entry.address), since: entry.since && time(entry.since) }))
  const held = readable.some(({ since }) => since === undefined) ? await heldSince(client, until) : new Map()
  const rows = readable.map((entry) => ({
    image: '',
    ...entry,
    since: entry.since ?? held.get(holdKey(entry)) ?? until,
    until,
  }))
  await insertRows(
    client,
    'declared_address',
    'cluster String, address String, namespace String, workload String, pod String, shared Bool, since String, until String, image String',
    rows,
  )
  await run(
    client,
    `INSERT INTO call_half_minute (minute, touched, loaded)
     SELECT DISTINCT toStartOfMinute(h.time) AS minute, 1, max(h.loaded) OVER (PARTITION BY minute) FROM call_half AS h
     WHERE toString(h.client) IN {addresses:Array(String)} AND h.time >= {since:DateTime64(3, 'UTC')}`,
    {
      addresses: [...new Set(rows.map(({ address }) => address))],
      since: rows.map(({ since }) => since).sort()[0] ?? until,
    },
  )
}

type Held = Pick<PodAddress, 'cluster' | 'namespace' | 'pod' | 'address' | 'shared'>
const holdKey = ({ cluster, namespace, pod, address, shared }: Held) =>
  JSON.stringify([cluster, namespace, pod, address, shared])

/** Since when Pods have the addresses that they still hold: one that is declared again and again has it all the time. */
async function heldSince(client: ClickHouseClient, now: string): Promise<Map<string, string>> {
  const rows = await query<Held & { since: string }>(
    client,
    `SELECT cluster, namespace, pod, toString(address) AS address, shared, toString(min(d.since)) AS since FROM (
       SELECT cluster, namespace, pod, address, shared, since, max(a.until) AS last FROM declared_address AS a GROUP BY ALL) AS d
     WHERE last + ${DECLARED_HOLD} >= {now:DateTime64(3, 'UTC')} GROUP BY ALL`,
    { now },
  )
  return new Map(rows.map((row) => [holdKey(row), row.since]))
}

/** The store keeps IPv4 addresses as IPv6 ones. */
const mapped = (address: string) => (isIP(address) === 4 ? `::ffff:${address}` : address)

/** Everything that is declared, the latest word on each object. */
export async function readInventory(client: ClickHouseClient): Promise<Inventory> {
  const workloads = await query<Omit<Workload, 'serviceAccount'> & { service_account: string }>(
    client,
    'SELECT cluster, namespace, name, kind, service_account, labels, owner, sensitivity, category FROM declared_workload FINAL ORDER BY cluster, namespace, name',
  )
  const services = await query<
    Omit<Service, 'ports'> & {
      ports: { name: string; service_port: number; workload_port: number; protocol: string }[]
    }
  >(
    client,
    'SELECT cluster, namespace, name, selector, ports FROM declared_service FINAL ORDER BY cluster, namespace, name',
  )
  const trustDomains = await query<MeshTrustDomains>(
    client,
    'SELECT cluster, names FROM declared_trust_domain FINAL ORDER BY cluster',
  )
  return {
    ...(trustDomains.length > 0 ? { trustDomains } : {}),
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
