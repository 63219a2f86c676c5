import { generateKeyPairSync, randomInt } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAuthority, issueCertificate } from '../certificates.ts'
import { type Bootstrap, type Callee, calleeConfig, callerConfig, serviceHost } from '../envoy-config.ts'
import { type EnvoyProcess, startEnvoy } from '../envoy-process.ts'
import type { LogPaths } from '../log-formats.ts'
import { rbacFilters } from '../rbac.ts'
import { labBinary } from '../setup.ts'
import { startApplication } from './application.ts'
import { callGrpc, type Sent, sendHttp, talkTcp } from './drive.ts'
import { gatewayConfig } from './gateway.ts'
import { type Recorded, startRecorder } from './recorder.ts'
import {
  addCluster,
  addListener,
  cluster,
  clusterOf,
  denyPeer,
  jwtFilter,
  letStreamsThrough,
  listenerOf,
  type Pod,
  recorded,
  tcpListener,
  token,
} from './scene.ts'

export const FRONTEND = 'cluster.local/ns/shop/sa/frontend'
export const REPORTS = 'cluster.local/ns/ops/sa/reports'
export const GATEWAY = 'cluster.local/ns/istio-system/sa/ingress'
export const ORDERS = 'cluster.local/ns/shop/sa/orders'
export const ISSUER = 'https://login.example.com'

const POLICY = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: secrets, namespace: shop }
spec:
  action: DENY
  rules:
  - to: [{ operation: { paths: ["/secrets/*"] } }]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: frontends, namespace: shop, annotations: { istio.io/dry-run: "true" } }
spec:
  action: ALLOW
  rules:
  - from: [{ source: { principals: ["${FRONTEND}", "${GATEWAY}"] } }]
`

/** What a run gave: the bytes of the recorder, and the JSON access log of each proxy. */
export interface Recording {
  received: Recorded
  /** Lines of the recommended JSON, by proxy. */
  logs: Record<string, string[]>
  /** Lines of Istio's default text. */
  texts: Record<string, string[]>
}

const loopback = () => `127.${randomInt(16, 250)}.${randomInt(1, 255)}.${randomInt(1, 255)}`

const logPaths = (dir: string, name: string): LogPaths => ({
  text: join(dir, `${name}.text.log`),
  json: join(dir, `${name}.json.log`),
  recommended: join(dir, `${name}.recommended.log`),
})

/**
 * Starts a callee, two callers and a gateway that log to files, over gRPC and over OpenTelemetry, drives requests through them,
 * and gives all that came out.
 * @throws Error when the lab is not set up
 */
export async function record(dir: string): Promise<Recording> {
  const binary = labBinary()
  if (!binary) throw new Error('the lab has no Envoy: run `npm run lab:setup` first')
  const recorder = await startRecorder()
  const started: (() => Promise<void>)[] = [recorder.stop]
  try {
    const scene = await startScene(binary, dir, recorder, started)
    await drive(scene)
    await untilQuiet(recorder.recorded)
    const lines = (format: keyof LogPaths) =>
      Object.fromEntries(scene.proxies.map(({ name, paths }) => [name, linesOf(paths[format])]))
    return { received: recorder.recorded, logs: lines('recommended'), texts: lines('text') }
  } finally {
    for (const stop of started.splice(0).reverse()) await stop()
  }
}

/** Ten times what the loggers keep entries for. */
const QUIET_MS = 1_000

/** Until nothing came for a while: loggers send what they gathered later than their files have it. */
async function untilQuiet({ als, grpcLogs, httpLogs }: Recorded): Promise<void> {
  const messages = () => als.reduce((sum, stream) => sum + stream.length, grpcLogs.length + httpLogs.length)
  for (let known = -1; known !== messages(); ) {
    known = messages()
    await sleep(QUIET_MS)
  }
}

const linesOf = (path: string) =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []

interface Proxy {
  name: string
  pod: Pod
  paths: LogPaths
  envoy: EnvoyProcess
}
interface Scene {
  proxies: Proxy[]
  callee: Callee
  jwt: string
}

type Recorder = Awaited<ReturnType<typeof startRecorder>>

async function startScene(
  binary: string,
  dir: string,
  recorder: Recorder,
  started: (() => Promise<void>)[],
): Promise<Scene> {
  const authority = await createAuthority(join(dir, 'certificates'))
  const issue = (principal: string) => issueCertificate(join(dir, 'certificates'), authority, principal)
  const callee: Callee = {
    namespace: 'shop',
    service: 'orders',
    labels: { app: 'orders' },
    principal: ORDERS,
    ports: [
      { servicePort: 80, workloadPort: 8080 },
      { servicePort: 9000, workloadPort: 9090 },
    ],
    podAddress: loopback(),
    applicationAddress: loopback(),
  }
  started.push(await startApplication(callee.applicationAddress, { http: 8080, admin: 9090, grpc: 7070, tcp: 5432 }))
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const start = async (name: string, pod: Pod, paths: LogPaths, config: Bootstrap): Promise<Proxy> => {
    const envoy = await startEnvoy(binary, dir, name, recorded(config, pod, recorder))
    started.push(envoy.stop)
    return { name, pod, paths, envoy }
  }
  const proxies: Proxy[] = []
  const calleePaths = logPaths(dir, 'callee')
  const rbac = [jwtFilter(ISSUER, keys.publicKey), ...rbacFilters(POLICY, callee)]
  const inbound = calleeConfig({ callee, certificate: await issue(ORDERS), rbac, logs: calleePaths })
  addTcpInbound(inbound, callee)
  letStreamsThrough(inbound, 'inbound_9090', true)
  proxies.push(
    await start('callee', { namespace: 'shop', workload: 'orders', address: callee.podAddress }, calleePaths, inbound),
  )
  for (const [workload, namespace, principal] of [
    ['frontend', 'shop', FRONTEND],
    ['reports', 'ops', REPORTS],
  ] as const) {
    const pod = { namespace, workload, address: loopback() }
    const paths = logPaths(dir, workload)
    const outbound = callerConfig({ podAddress: pod.address, certificate: await issue(principal), callee, logs: paths })
    addTcpOutbound(outbound, callee)
    letStreamsThrough(outbound, 'outbound', false)
    proxies.push(await start(workload, pod, paths, outbound))
  }
  const gateway = { namespace: 'istio-system', workload: 'ingress', address: loopback() }
  const paths = logPaths(dir, 'ingress')
  const edge = callerConfig({ podAddress: gateway.address, certificate: await issue(GATEWAY), callee, logs: paths })
  proxies.push(await start('ingress', gateway, paths, gatewayConfig(edge, callee, gateway.address)))
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: ISSUER,
    sub: 'alice',
    groups: ['buyers', 'staff'],
    acr: 'urn:mfa',
    amr: ['pwd', 'otp'],
    auth_time: now - 60,
    exp: now + 3600,
    secret_claim: 'never stored',
  }
  return { proxies, callee, jwt: token(claims, keys.privateKey) }
}

function addTcpInbound(inbound: Bootstrap, callee: Callee): void {
  addListener(
    inbound,
    tcpListener({
      name: 'inbound_5432',
      direction: 'INBOUND',
      host: callee.podAddress,
      port: 5432,
      clusterName: 'inbound|5432||',
      accessLog: fileLogs(inbound, 'inbound_8080'),
      transportSocket: listenerOf(inbound, 'inbound_8080').filter_chains[0]?.transport_socket,
      listenerFilters: listenerOf(inbound, 'inbound_8080')['listener_filters'],
      filters: [denyPeer('ns[shop]-policy[db]-rule[0]', REPORTS)],
    }),
  )
  addCluster(inbound, cluster('inbound|5432||', [[callee.applicationAddress, 5432]], bindTo('127.0.0.6')))
}

function addTcpOutbound(outbound: Bootstrap, callee: Callee): void {
  const host = serviceHost(callee)
  const name = `outbound|5432||${host}`
  addListener(
    outbound,
    tcpListener({
      name: 'outbound_5432',
      direction: 'OUTBOUND',
      host: '127.0.0.1',
      port: 0,
      clusterName: name,
      accessLog: fileLogs(outbound, 'outbound'),
    }),
  )
  const { upstream_bind_config, transport_socket } = clusterOf(outbound, `outbound|80||${host}`)
  const tls = structuredClone(transport_socket) as { typed_config: { sni: string } }
  tls.typed_config.sni = `outbound_.5432_._.${host}`
  addCluster(outbound, cluster(name, [[callee.podAddress, 5432]], { upstream_bind_config, transport_socket: tls }))
}

const bindTo = (address: string) => ({ upstream_bind_config: { source_address: { address, port_value: 0 } } })

/** The loggers to files that a listener has already. */
function fileLogs(bootstrap: Bootstrap, listener: string): unknown[] {
  const [filter] = listenerOf(bootstrap, listener).filter_chains[0]?.filters ?? []
  return [...(filter?.typed_config.access_log ?? [])]
}

async function drive({ proxies, callee, jwt }: Scene): Promise<void> {
  const host = serviceHost(callee)
  const proxy = (name: string) => {
    const found = proxies.find((known) => known.name === name)
    if (!found) throw new Error(`no proxy ${name}`)
    return found
  }
  const through = (name: string, listener = 'outbound') => ({
    host: '127.0.0.1',
    port: proxy(name).envoy.listenerPort(listener),
    from: proxy(name).pod.address,
  })
  const edge = { host: proxy('ingress').pod.address, port: proxy('ingress').envoy.listenerPort('outbound') }
  for (const [by, sent, status] of requests(host, jwt)) {
    const to = by === 'ingress' ? edge : through(by)
    const answered = await sendHttp(to, sent)
    if (answered !== status) throw new Error(`${sent.name} was answered ${answered}, not ${status}`)
  }
  const grpc = [
    await callGrpc(edge, 'grpc.example.com', '/shop.Orders/Get'),
    await callGrpc(edge, 'grpc.example.com', '/shop.Orders/Fail'),
  ]
  if (grpc.join() !== '0,16') throw new Error(`the gRPC calls ended with ${grpc}`)
  const tcp = [
    await talkTcp(through('frontend', 'outbound_5432'), 'hello'),
    await talkTcp(through('reports', 'outbound_5432'), 'hello'),
  ]
  if (tcp.join() !== 'hello,') throw new Error(`the connections heard ${tcp}`)
}

type Step = [through: 'frontend' | 'reports' | 'ingress', sent: Sent, status: number]

function requests(host: string, jwt: string): Step[] {
  const get = (name: string, path: string, more: Partial<Sent> = {}): Sent => ({
    name,
    method: 'GET',
    path,
    host,
    ...more,
  })
  const admin = `${host}:9000`
  const shop = 'shop.example.com'
  const bearer = { authorization: `Bearer ${jwt}` }
  const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
  const forged = { 'x-envoy-original-path': '/forged', 'x-forwarded-for': '203.0.113.9' }
  return [
    ['frontend', get('plain', '/orders/42?token=s3cr3t&page=2'), 200],
    ['frontend', get('user', '/orders', { method: 'POST', body: 'one, please', headers: bearer }), 200],
    ['reports', get('denied', '/secrets/7', { method: 'DELETE' }), 403],
    ['reports', get('would', '/reports/2026-01-31'), 200],
    ['frontend', get('missing', '/missing/page'), 404],
    ['frontend', get('traced', '/orders/42/items', { headers: trace }), 200],
    ['frontend', get('forged', '/orders/17', { headers: forged }), 200],
    ['frontend', get('odd', '//a%2Fb;v=1/'), 200],
    ['frontend', get('method', '/calendar', { method: 'PROPFIND' }), 200],
    ['frontend', get('malformed', '/a%00b'), 400],
    ['reports', get('slow', '/slow', { host: admin }), 200],
    ['reports', get('socket', '/feed', { host: admin, upgrade: true }), 101],
    ['ingress', get('edge', '/orders/7?x=1', { host: shop, headers: { 'x-forwarded-for': '198.51.100.7' } }), 200],
    ['ingress', get('moved', '/old/a', { host: shop }), 301],
    ['ingress', get('nowhere', '/', { host: 'other.example.com' }), 404],
    ['ingress', get('retried', '/retried/1', { host: shop }), 200],
    ['ingress', get('down', '/down', { host: shop }), 503],
  ]
}
