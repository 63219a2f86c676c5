import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { hasEnvoy, SERVICES, WORKLOADS } from './world.ts'

/** Loopback addresses of one mesh, so that ports can be the real ones and several meshes can run side by side. */
export interface Addresses {
  /** Of the Pod: where its Envoy listens, and where its connections come from. */
  pod(workload: string): string
  /** Of the application behind the sidecar; without a sidecar the Pod's own. */
  application(workload: string): string
  /** The Service's cluster IP, which applications connect to and nobody listens on. */
  service(host: string): string
  /** Of the nth place on earth that users sit at. */
  client(place: number): string
}

const FIRST_HOST = 10
/** Users are told apart by address up to this many. */
export const PLACES_MAX = 240

/**
 * Chooses four networks of 127.0.0.0/8 for a new mesh.
 * @throws Error when a port that the mesh needs is taken there
 */
export async function chooseAddresses(): Promise<Addresses> {
  const network = `127.${randomInt(16, 250)}`
  const block = randomInt(0, 60) * 4
  const indexOf = (list: readonly unknown[], index: number, what: string) => {
    if (index < 0 || index >= list.length) throw new Error(`the mesh has no address for ${what}`)
    return index + FIRST_HOST
  }
  const of = (third: number, host: number) => `${network}.${block + third}.${host}`
  const position = (id: string) =>
    indexOf(
      WORKLOADS,
      WORKLOADS.findIndex((workload) => workload.id === id),
      id,
    )
  const pod = (id: string) => of(0, position(id))
  const withEnvoy = new Set(WORKLOADS.filter(hasEnvoy).map(({ id }) => id))
  const addresses: Addresses = {
    pod,
    application: (id) => (withEnvoy.has(id) ? of(1, position(id)) : pod(id)),
    service: (host) =>
      of(
        2,
        indexOf(
          SERVICES,
          SERVICES.findIndex((service) => service.host === host),
          host,
        ),
      ),
    client: (place) => of(3, FIRST_HOST + (place % PLACES_MAX)),
  }
  for (const { id, ports } of WORKLOADS) for (const { port } of ports) await expectFree(addresses.application(id), port)
  return addresses
}

function expectFree(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (cause) => {
      const hint = port < 1024 ? 'ports below 1024 need root or net.ipv4.ip_unprivileged_port_start=0' : 'it is taken'
      reject(new Error(`port ${port} cannot be used on ${address}: ${hint}`, { cause }))
    })
    probe.listen(port, address, () => probe.close(() => resolve()))
  })
}
