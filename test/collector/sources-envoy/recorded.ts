import { readFileSync } from 'node:fs'
import { type Fact, factsOf, inOrder, sourceDir } from '../facts.ts'
import type { TestStore } from '../support.ts'

export const sampleOf = (id: string, file: string) => readFileSync(new URL(`samples/${file}`, sourceDir(id)))

export const PROXIES = ['callee', 'frontend', 'reports', 'ingress'] as const

/** Where each proxy of the recording runs. */
export const PODS: Record<(typeof PROXIES)[number], { namespace: string; workload: string }> = {
  callee: { namespace: 'shop', workload: 'orders' },
  frontend: { namespace: 'shop', workload: 'frontend' },
  reports: { namespace: 'ops', workload: 'reports' },
  ingress: { namespace: 'istio-system', workload: 'ingress' },
}

/** Lines of a proxy's own log of the recorded requests: the recommended JSON, or Istio's default text. */
export function recordedLines(proxy: string, format: 'log' | 'text.log' = 'log'): string[] {
  const log = readFileSync(new URL(`../../lab/record/recorded/${proxy}.${format}`, import.meta.url), 'utf8')
  return log.split('\n').filter((line) => line !== '')
}

/** The recorded lines as a shipper hands them over: with the Pod that wrote each, which an access log does not tell. */
export function shipped(): string {
  const lines = PROXIES.flatMap((proxy) =>
    recordedLines(proxy).map((line) => {
      const { namespace, workload } = PODS[proxy]
      const kubernetes = {
        namespace_name: namespace,
        pod_name: `${workload}-7d9c5b8f6-x2x4z`,
        container_name: 'istio-proxy',
      }
      return JSON.stringify({ log: `${line}\n`, kubernetes })
    }),
  )
  return `${lines.join('\n')}\n`
}

/** What is expected of a source's samples. */
export function expectedOf(id: string): (Fact & { proxy: string })[] {
  const text = readFileSync(new URL('expected.jsonl', sourceDir(id)), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Fact & { proxy: string })
}

/**
 * The facts of a cluster as the JSON log could tell them: milliseconds in place of microseconds, and flags in one order, since Envoy
 * writes them to its JSON as they came about and to its service as a set.
 */
export async function comparable(store: TestStore, cluster: string): Promise<Fact[]> {
  return normal(await factsOf(store, cluster))
}

export function normal(facts: Fact[]): Fact[] {
  return inOrder(
    facts.map((fact) => {
      const { duration_us, response_flags, time, ...rest } = fact
      const milliseconds = Math.floor(Number(duration_us ?? 0) / 1000)
      return {
        ...rest,
        time: `${String(time).slice(0, 23)}000`,
        ...(milliseconds > 0 && { duration_us: milliseconds * 1000 }),
        ...(response_flags !== undefined && { response_flags: String(response_flags).split(',').sort().join() }),
      }
    }),
  ).sort((a, b) => (JSON.stringify(sorted(a)) < JSON.stringify(sorted(b)) ? -1 : 1))
}

/** Of streams that go on, each logger tells another duration: the time until it looked, or none. */
export function timeless(facts: Fact[]): Fact[] {
  const streams = /\/(slow|socket)$/
  return normal(facts.map((fact) => (streams.test(String(fact['user_agent'])) ? { ...fact, duration_us: 0 } : fact)))
}

const sorted = (fact: Fact) => Object.fromEntries(Object.entries(fact).sort(([a], [b]) => (a < b ? -1 : 1)))

export const without = (facts: Fact[], ...keys: string[]) =>
  facts.map((fact) => Object.fromEntries(Object.entries(fact).filter(([key]) => !keys.includes(key))))

const attribute = (key: string, value: unknown): object => ({
  key,
  value:
    typeof value === 'number'
      ? { intValue: String(value) }
      : typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { kvlistValue: { values: Object.entries(value).map(([name, inner]) => attribute(name, inner)) } }
        : { stringValue: value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value) },
})

/** A proxy's recorded lines as one OTLP/JSON request: each key an attribute, or in the body as a list or as the line itself. */
export function otlpJson(proxy: (typeof PROXIES)[number], how: 'attributes' | 'list' | 'text'): string {
  const { namespace, workload } = PODS[proxy]
  const pod = {
    'k8s.namespace.name': namespace,
    'k8s.pod.name': `${workload}-7d9c5b8f6-x2x4z`,
    'k8s.container.name': 'istio-proxy',
  }
  const logRecords = recordedLines(proxy).map((line) => {
    const { rbac, ...keys } = JSON.parse(line) as { rbac: unknown }
    // Envoy writes metadata as its JSON text.
    const pairs = Object.entries({ ...keys, rbac: rbac === null ? '-' : JSON.stringify(rbac) }).map(([key, value]) =>
      attribute(key, value),
    )
    if (how === 'attributes') return { timeUnixNano: '1', attributes: pairs, traceId: '' }
    return { timeUnixNano: 1, body: how === 'list' ? { kvlistValue: { values: pairs } } : { stringValue: line } }
  })
  const resource = { attributes: Object.entries(pod).map(([key, value]) => attribute(key, value)) }
  return JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'envoy' }, logRecords }] }] })
}
