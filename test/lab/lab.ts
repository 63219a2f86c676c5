import { randomInt } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAuthority, issueCertificate, type WorkloadCertificate } from './certificates.ts'
import { keepAliveAgent, type LabRequest, type LabResponse, type Route, send } from './driver.ts'
import { type Callee, calleeConfig, callerConfig, type HttpFilter, type PortPair, serviceHost } from './envoy-config.ts'
import { type EnvoyProcess, startEnvoy } from './envoy-process.ts'
import type { LogPaths } from './log-formats.ts'
import { startService } from './service.ts'
import { labBinary } from './setup.ts'

/** Callers of the lab unless others are asked for: four service accounts in two namespaces. */
export const CALLERS = [
  'cluster.local/ns/shop/sa/frontend',
  'cluster.local/ns/shop/sa/checkout',
  'cluster.local/ns/ops/sa/reports',
  'cluster.local/ns/ops/sa/backup',
]

/** The called workload: `orders` in `shop`, with a port for requests and one for administration. */
export const CALLEE = {
  namespace: 'shop',
  service: 'orders',
  labels: { app: 'orders' },
  principal: 'cluster.local/ns/shop/sa/orders',
}
const PORTS: PortPair[] = [
  { servicePort: 80, workloadPort: 8080 },
  { servicePort: 9000, workloadPort: 9090 },
]

export interface LabOptions {
  /** An empty or new folder for certificates, configurations and logs. */
  dir: string
  /** Filters before the callee's router, from `rbacFilters`; none: everything is allowed. */
  rbac?: HttpFilter[]
  callers?: string[]
  ports?: PortPair[]
}

export interface LabCaller {
  principal: string
  /** Of its outbound listener, on 127.0.0.1. */
  port: number
  /** The loopback address that stands for its Pod. */
  podAddress: string
}

/** What else can be asked of the callee's proxy; see `calleeConfig`. */
type CalleeExtras = Pick<Parameters<typeof calleeConfig>[0], 'connections' | 'resumesSessions'>

export interface Lab {
  callers: LabCaller[]
  callee: Callee
  /** Logs of the callee's sidecar, and of each caller's by principal. */
  logs: { callee: LogPaths; callers: Record<string, LogPaths> }
  request(request: LabRequest): Promise<LabResponse>
  /** Replaces what the callee enforces (its Envoy restarts on the same address; logs go on in the same files). */
  enforce(rbac: HttpFilter[], more?: CalleeExtras): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts the callee's application and sidecar, and a sidecar per caller, and waits until all serve.
 * @throws Error when the binary is not set up, a port is taken, or an Envoy refuses its configuration
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const binary = labBinary()
  if (!binary) throw new Error('the lab has no Envoy: run `npm run lab:setup` first')
  const started: (() => Promise<void>)[] = []
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
  options: LabOptions,
  started: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<Lab> {
  const { dir, callers: principals = CALLERS, ports = PORTS } = options
  await mkdir(dir, { recursive: true })
  const authority = await createAuthority(join(dir, 'certificates'))
  const issue = (principal: string) => issueCertificate(join(dir, 'certificates'), authority, principal)
  const addresses = await podAddresses(ports)
  const callee: Callee = { ...CALLEE, ports, ...addresses }
  started.push(
    await startService(
      callee.service,
      callee.applicationAddress,
      ports.map(({ workloadPort }) => workloadPort),
    ),
  )

  const certificate = await issue(callee.principal)
  const logs = { callee: logPaths(dir, 'callee'), callers: {} as Record<string, LogPaths> }
  const startCallee = (rbac: HttpFilter[], more: CalleeExtras = {}) =>
    startEnvoy(binary, dir, 'callee', calleeConfig({ callee, certificate, rbac, ...more, logs: logs.callee }))
  let calleeEnvoy = await startCallee(options.rbac ?? [])
  started.push(() => calleeEnvoy.stop())

  const callers: LabCaller[] = []
  for (const principal of principals) {
    const { caller, envoy, paths } = await startCaller(binary, dir, principal, callee, await issue(principal))
    started.push(() => envoy.stop())
    logs.callers[principal] = paths
    callers.push(caller)
  }

  const agent = keepAliveAgent()
  started.push(async () => agent.destroy())
  return {
    callers,
    callee,
    logs,
    request: (request) => send(agent, routeOf(callers, callee, request), request),
    enforce: async (rbac, more) => {
      await calleeEnvoy.stop()
      calleeEnvoy = await startCallee(rbac, more)
    },
    stop,
  }
}

async function startCaller(
  binary: string,
  dir: string,
  principal: string,
  callee: Callee,
  certificate: WorkloadCertificate,
): Promise<{ caller: LabCaller; envoy: EnvoyProcess; paths: LogPaths }> {
  const name = `caller-${principal.replaceAll('/', '_')}`
  const podAddress = randomLoopback()
  const paths = logPaths(dir, name)
  const envoy = await startEnvoy(binary, dir, name, callerConfig({ podAddress, certificate, callee, logs: paths }))
  return { caller: { principal, port: envoy.listenerPort('outbound'), podAddress }, envoy, paths }
}

function routeOf(callers: LabCaller[], callee: Callee, request: LabRequest): Route {
  const caller = callers.find(({ principal }) => principal === request.caller)
  if (!caller) throw new Error(`no caller ${request.caller}; there are ${callers.map((c) => c.principal).join(', ')}`)
  const first = callee.ports[0]?.servicePort
  const asked = request.servicePort ?? first
  if (!callee.ports.some(({ servicePort }) => servicePort === asked)) {
    throw new Error(`${callee.service} has no service port ${asked}`)
  }
  const authority = asked === first ? serviceHost(callee) : `${serviceHost(callee)}:${asked}`
  return { port: caller.port, podAddress: caller.podAddress, authority }
}

function logPaths(dir: string, name: string): LogPaths {
  const path = (format: string) => join(dir, `${name}.${format}.log`)
  return { text: path('istio-text'), json: path('istio-json'), recommended: path('recommended') }
}

/**
 * Two addresses of 127.0.0.0/8 on which every workload port is free: then the ports themselves can be the real ones,
 * which matters because RBAC's `destination_port` and Istio's `ports` mean the workload port.
 */
async function podAddresses(ports: PortPair[]): Promise<{ podAddress: string; applicationAddress: string }> {
  const [podAddress, applicationAddress] = [randomLoopback(), randomLoopback()]
  for (const { workloadPort } of ports) {
    for (const address of [podAddress, applicationAddress]) await expectFree(address, workloadPort)
  }
  return { podAddress, applicationAddress }
}

function randomLoopback(): string {
  return `127.${randomInt(16, 250)}.${randomInt(1, 255)}.${randomInt(1, 255)}`
}

function expectFree(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (cause) => {
      const hint = 'something listens there on all addresses; stop it, or start the lab with other `ports`'
      reject(new Error(`port ${port} cannot be used on ${address}: ${hint}`, { cause }))
    })
    probe.listen(port, address, () => probe.close(() => resolve()))
  })
}

/**
 * The lines of a log that contain `text` (all, when it is empty), once there are at least `count` of them: Envoy buffers
 * lines for a moment.
 * @throws Error when they have not come in `deadlineMs`
 */
export async function logLines(path: string, count: number, text = '', deadlineMs = 5_000): Promise<string[]> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '' && line.includes(text))
    if (lines.length >= count) return lines
    if (Date.now() > deadline) throw new Error(`${path} has ${lines.length} lines with "${text}", expected ${count}`)
    await sleep(20)
  }
}
