import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createAuthority, issueCertificate, issueServerCertificate, type WorkloadCertificate } from '../certificates.ts'
import type { Bootstrap } from '../envoy-config.ts'
import { type EnvoyProcess, startEnvoy } from '../envoy-process.ts'
import type { LogPaths } from '../log-formats.ts'
import { labBinary } from '../setup.ts'
import { ACCOUNTS } from './accounts.ts'
import { type Addresses, chooseAddresses } from './addresses.ts'
import { startApplications } from './applications.ts'
import { bootstrapOf } from './bootstrap.ts'
import { type Caller, createCaller } from './client.ts'
import { createConnections } from './connect.ts'
import { createDelivery, type Filters } from './delivery.ts'
import { createIssuer, type Issuer } from './jwt.ts'
import type { Authorities } from './parts.ts'
import type { Reporting } from './telemetry.ts'
import { createTruth, type Truth } from './truth.ts'
import { hasEnvoy, PUBLIC_HOST, principalOf, TRUST_DOMAINS, WORKLOADS } from './world.ts'

export interface MeshOptions extends Reporting {
  /** An empty or new folder for certificates, configurations and logs. */
  dir: string
  /** What is enforced: `policies.yaml` from the beginning, or nothing until `deliver` puts filters into running Envoys. */
  policies?: 'fixed' | 'delivered'
}

/** More would only wait for each other's processor, and each has a deadline. */
const STARTING_AT_ONCE = 4

/** A running mesh. */
export interface Mesh {
  addresses: Addresses
  /** Logs of each Envoy by its workload's id, and where its administration is. */
  envoys: ReadonlyMap<string, { logs: LogPaths; admin: string; pid: number }>
  truth: Truth
  caller: Caller
  issuer: Issuer
  /** Replaces what a workload's Envoy enforces or watches, and waits until it runs that; see `delivery.ts`. */
  deliver(workload: string, filters: Filters): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts applications, sidecars and gateways of both clusters, and waits until all serve.
 * @throws Error when the binary is not set up, a port is taken, or an Envoy refuses its configuration
 */
export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const binary = labBinary()
  if (!binary) throw new Error('the lab has no Envoy: run `npm run lab:setup` first')
  const started: (() => unknown)[] = []
  const stop = async () => {
    for (const end of started.splice(0).reverse()) await end()
  }
  try {
    return await assemble(binary, options, started, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function assemble(
  binary: string,
  { dir, policies = 'fixed', ...reporting }: MeshOptions,
  started: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<Mesh> {
  await mkdir(dir, { recursive: true })
  const [trust, addresses, issuer] = await Promise.all([certify(dir), chooseAddresses(), createIssuer()])
  const { certificates, authorities, publicAuthority, publicCertificate } = trust
  const truth = createTruth()
  const connections = createConnections()
  started.push(() => connections.close())
  const caller = createCaller({ addresses, connections, truth, publicAuthority, certificates })
  started.push(() => caller.close())
  started.push(await startApplications({ addresses, truth, caller, issuer, accounts: ACCOUNTS }))

  const delivery = policies === 'delivered' ? createDelivery(dir) : undefined
  const envoys = new Map<string, { logs: LogPaths; admin: string; pid: number }>()
  const start = async (workload: (typeof WORKLOADS)[number]): Promise<EnvoyProcess> => {
    const name = workload.id.replace('/', '_')
    const certificate = certificates.get(workload.id)
    if (!certificate) throw new Error(`${workload.id} has no certificate`)
    const logs = logPaths(dir, name)
    const setup = { workload, certificate, publicCertificate, authorities, addresses, logs, reporting, delivery }
    const bootstrap: Bootstrap = bootstrapOf({ ...setup, keys: issuer.keys })
    const envoy = await startEnvoy(binary, dir, name, bootstrap)
    envoys.set(workload.id, { logs, admin: envoy.admin, pid: envoy.pid })
    return envoy
  }
  const running: EnvoyProcess[] = []
  started.push(() => Promise.all(running.map((envoy) => envoy.stop())))
  const waiting = WORKLOADS.filter(hasEnvoy)
  const starter = async () => {
    for (let workload = waiting.shift(); workload; workload = waiting.shift()) running.push(await start(workload))
  }
  // All starters end before a failure is told, so that none leaves an Envoy behind that nobody stops.
  const starters = await Promise.allSettled(Array.from({ length: STARTING_AT_ONCE }, starter))
  const failed = starters.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
  const deliver = async (workload: string, filters: Filters) => {
    const admin = envoys.get(workload)?.admin
    if (!delivery || !admin) throw new Error(`nothing can be delivered to ${workload}`)
    await delivery.deliver(workload, admin, filters)
  }
  return { addresses, envoys, truth, caller, issuer, deliver, stop }
}

/** An authority for each trust domain and one for the public, and what they sign. Keys are gone with the folder. */
async function certify(dir: string) {
  const folder = (name: string) => join(dir, 'certificates', name)
  await rm(folder(''), { recursive: true, force: true })
  const [east, west, open] = await Promise.all([
    createAuthority(folder('east'), TRUST_DOMAINS.east),
    createAuthority(folder('west'), TRUST_DOMAINS.west),
    createAuthority(folder('public'), 'Public authority of the lab'),
  ])
  const authorities: Authorities = { east, west }
  const certificates = new Map<string, WorkloadCertificate>()
  const issueAll = async (cluster: 'east' | 'west') => {
    // One after another: they share the authority's file of serial numbers.
    for (const workload of WORKLOADS.filter((w) => w.cluster === cluster && w.role !== 'outside')) {
      const own = join(folder(cluster), workload.name)
      await mkdir(own)
      certificates.set(workload.id, await issueCertificate(own, authorities[cluster], principalOf(workload)))
    }
  }
  const [publicCertificate] = await Promise.all([
    issueServerCertificate(folder('public'), open, PUBLIC_HOST),
    issueAll('east'),
    issueAll('west'),
  ])
  return { authorities, certificates, publicAuthority: open.certificate, publicCertificate }
}

function logPaths(dir: string, name: string): LogPaths {
  const path = (format: string) => join(dir, `${name}.${format}.log`)
  return { text: path('istio-text'), json: path('istio-json'), recommended: path('recommended') }
}
