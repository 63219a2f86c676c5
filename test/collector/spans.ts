import { pairSpans } from '../../services/analyzer/spans/pair.ts'
import { PATH_FLAGS } from '../../services/model/operation.ts'
import type { TestResource, TestSpan } from './otlp.ts'
import type { TestStore } from './support.ts'

const START = 1_763_800_000_000_000_000n
export const trace = (n: number) => n.toString(16).padStart(32, '0')
export const id = (n: number) => n.toString(16).padStart(16, '0')
/** Nanoseconds since 1970, so many seconds after a fixed moment. */
export const at = (seconds: number) => String(START + BigInt(seconds) * 1_000_000_000n)

export const service = (name: string, spans: TestSpan[]): TestResource => ({
  attributes: { 'service.name': name, 'k8s.namespace.name': 'shop' },
  spans,
})

/** A caller's client span and the callee's server span under it, in trace `n`. */
export function call(n: number, client: Partial<TestSpan>, server: Partial<TestSpan>): TestResource[] {
  const start = { traceId: trace(n), startTimeUnixNano: at(n) }
  return [
    service('web', [{ ...start, spanId: id(1), name: 'call', kind: 3, ...client }]),
    service('orders', [{ ...start, spanId: id(2), parentSpanId: id(1), name: 'handle', kind: 2, ...server }]),
  ]
}

const COLUMNS =
  'toString(time) AS time, span_key, parent_key, duration_us, namespace, service, workload, kind, protocol, method, path, path_flags, path_rank, status, is_database'

export const spansOf = (store: TestStore, cluster: string) =>
  store.rows(`SELECT ${COLUMNS} FROM span WHERE cluster = {cluster:String} ORDER BY time, span_key`, { cluster })

export async function rejectsOf(store: TestStore, cluster: string): Promise<string[]> {
  const rows = await store.rows<{ reason: string }>(
    'SELECT reason FROM rejected_line WHERE cluster = {cluster:String} ORDER BY reason',
    { cluster },
  )
  return rows.map(({ reason }) => reason)
}

/** Pairs what is stored, and gives the calls of a cluster, with names for their path's flags. */
export async function callsOf(store: TestStore, cluster: string) {
  await pairSpans(store.store)
  const rows = await store.rows<Record<string, string | number>>(
    `SELECT source_workload AS source, destination_workload AS destination, protocol, method, shape AS path, path_flags AS flags, sum(requests) AS requests
     FROM span_call FINAL WHERE cluster = {cluster:String} AND unpaired = '' GROUP BY ALL HAVING requests > 0 ORDER BY ALL`,
    { cluster },
  )
  return rows.map(({ flags, ...row }) => ({
    ...row,
    flags: PATH_FLAGS.filter((_, bit) => (Number(flags) & (1 << bit)) !== 0),
  }))
}
