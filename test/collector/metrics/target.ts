import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A program with request counters that a test drives: the truth is what the test added. */
export interface Target {
  url: string
  /** Adds requests to the counter with these labels, which appears with the first. */
  add(metric: string, labels: Record<string, string>, requests: number): void
  /** Forgets all counters, as a restart does. */
  restart(): void
  /** How often its page was asked for, and by whom. */
  looks(userAgent: string): number
  /** Resolves when the page was asked for anew, from the beginning, by each of these. */
  looked(...userAgents: string[]): Promise<void>
  close(): Promise<void>
}

/** A label's value as the text format writes it. */
const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')

export function series(metric: string, labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return `${metric}{${pairs.join(',')}}`
}

export async function startTarget(): Promise<Target> {
  const counters = new Map<string, number>()
  const looks: string[] = []
  const { url, close } = await listen((request, response) => {
    looks.push(String(request.headers['user-agent']))
    response.setHeader('content-type', 'text/plain; version=0.0.4')
    const lines = [...counters].map(([name, value]) => `${name} ${value}\n`)
    response.end(`# TYPE istio_requests_total counter\n${lines.join('')}process_cpu_seconds_total 5.25\n`)
  })
  const count = (userAgent: string) => looks.filter((look) => look.startsWith(userAgent)).length
  return {
    url: `${url}/metrics`,
    add: (metric, labels, requests) => {
      const name = series(metric, labels)
      counters.set(name, (counters.get(name) ?? 0) + requests)
    },
    restart: () => counters.clear(),
    looks: count,
    looked: async (...userAgents) => {
      const before = userAgents.map(count)
      await until(() => userAgents.every((agent, index) => count(agent) > (before[index] ?? 0)))
    },
    close,
  }
}

/** A server on a free port of loopback. */
export async function listen(answer: RequestListener): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Waits for a condition, and fails after 30 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('waited for 30 s')
}

/** Labels as Istio's proxies write them (telemetry-formats.md 4.6), of a call from `caller` to `callee` in namespace shop. */
export function istioLabels(
  caller: string,
  callee: string,
  other: Record<string, string> = {},
): Record<string, string> {
  return {
    reporter: 'destination',
    source_workload: caller,
    source_workload_namespace: 'shop',
    source_principal: `spiffe://cluster.local/ns/shop/sa/${caller}`,
    source_cluster: 'Kubernetes',
    destination_workload: callee,
    destination_workload_namespace: 'shop',
    destination_principal: `spiffe://cluster.local/ns/shop/sa/${callee}`,
    destination_service: `${callee}.shop.svc.cluster.local`,
    destination_service_namespace: 'shop',
    destination_cluster: 'Kubernetes',
    request_protocol: 'http',
    response_code: '200',
    response_flags: '-',
    connection_security_policy: 'mutual_tls',
    ...other,
  }
}
