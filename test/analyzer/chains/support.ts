import { type Chain, chainOf } from '../../../services/analyzer/chains/chain.ts'
import { findChains } from '../../../services/analyzer/chains/find.ts'
import type { FoundGap } from '../../../services/analyzer/chains/gaps.ts'
import { createJudge } from '../../../services/analyzer/chains/verdict.ts'
import { chainWindow, expectations } from '../../../services/store/queries/chain-counts.ts'
import { tracesBeginningIn } from '../../../services/store/queries/chains.ts'
import { type TestResource, type TestSpan, toProtobuf } from '../../collector/otlp.ts'
import type { TestStore } from '../../collector/support.ts'

/** A span of the recording, with its service. */
export interface Recorded {
  id: string
  parentId: string
  service: string
  span: TestSpan
  attributes: TestResource['attributes']
  isDatabase: boolean
}

/** The recording's spans, each once, by `trace/span`. */
export function distinctSpans(resources: readonly TestResource[]): Map<string, Recorded> {
  const found = new Map<string, Recorded>()
  for (const { attributes, spans } of resources)
    for (const span of spans) {
      const id = `${span.traceId}/${span.spanId}`
      const parentId = span.parentSpanId ? `${span.traceId}/${span.parentSpanId}` : ''
      const isDatabase = Object.keys(span.attributes ?? {}).some((key) => key.startsWith('db.system'))
      found.set(id, { id, parentId, service: String(attributes['service.name']), span, attributes, isDatabase })
    }
  return found
}

export const isClient = ({ span }: Recorded) => span.kind === 3

/** A service call of the recording: `caller` is the span that the callee's hangs on. */
export interface RecordedCall {
  caller: Recorded
  callee: Recorded
}

export function callsIn(spans: ReadonlyMap<string, Recorded>): RecordedCall[] {
  return [...spans.values()].flatMap((callee) => {
    const caller = spans.get(callee.parentId)
    return caller && caller.service !== callee.service && !isClient(callee) ? [{ caller, callee }] : []
  })
}

/** The line that the proxy of one side writes of a call, as a log shipper forwards it: its header names the caller's span. */
export function lineOf({ caller, callee }: RecordedCall, side: 'caller' | 'callee'): string {
  const { span } = callee
  const pod = side === 'caller' ? caller.service : callee.service
  const host = `${callee.service}.train-ticket.svc.cluster.local`
  const line = {
    start_time: new Date(Number(BigInt(span.startTimeUnixNano) / 1_000_000n)).toISOString(),
    method: caller.span.attributes?.['http.request.method'] ?? 'GET',
    path: span.name.startsWith('/') ? span.name : '/',
    protocol: 'HTTP/1.1',
    response_code: 200,
    duration: Number((BigInt(span.endTimeUnixNano ?? 0) - BigInt(span.startTimeUnixNano)) / 1_000_000n),
    authority: host,
    upstream_cluster: side === 'caller' ? `outbound|80||${host}` : 'inbound|8080||',
    upstream_host: '10.0.0.2:8080',
    upstream_local_address: side === 'caller' ? '10.0.0.1:41000' : '127.0.0.6:40000',
    downstream_local_address: side === 'caller' ? '10.96.0.9:80' : '10.0.0.2:8080',
    downstream_remote_address: side === 'caller' ? '10.0.0.1:40999' : '10.0.0.1:41000',
    requested_server_name: side === 'caller' ? null : `outbound_.80_._.${host}`,
    traceparent: `00-${span.traceId}-${caller.span.spanId}-01`,
  }
  const kubernetes = {
    namespace_name: 'train-ticket',
    pod_name: `${pod}-6f6cfc45b-h5m2n`,
    container_name: 'istio-proxy',
  }
  return JSON.stringify({ log: `${JSON.stringify(line)}\n`, kubernetes })
}

export async function loadSpans(store: TestStore, spans: Iterable<Recorded>): Promise<void> {
  const resources = [...spans].map(({ attributes, span }) => ({ attributes, spans: [span] }))
  for (let from = 0; from < resources.length; from += 50_000)
    await store.file('otlp-traces', toProtobuf(resources.slice(from, from + 50_000)), '')
}

/** What the store makes of what was loaded: every chain with the gaps that it tells, and the keys of spans by `trace/span`. */
export interface FoundChains {
  chains: Chain[]
  breaks: FoundGap[]
}

export async function foundChains(store: TestStore): Promise<FoundChains> {
  await findChains(store.store, Date.now())
  const window = await chainWindow(store.store.reads)
  if (!window) throw new Error('no chains')
  const range = { since: Date.parse(window.since), until: Date.parse(window.until) }
  const chains: Chain[] = []
  for (let part = 0; part < 4; part++)
    for (const trace of await tracesBeginningIn(store.store.jobs, range, part, 4)) chains.push(chainOf(trace))
  const judge = createJudge(await expectations(store.store.reads, window))
  return { chains, breaks: chains.flatMap(({ gaps }) => gaps.filter(judge.isBreak)) }
}

/** The keys under which the store knows spans: `key` to `trace/span`. */
export async function keysOf(store: TestStore, ids: string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (let from = 0; from < ids.length; from += 4_000) {
    const rows = await store.rows<{ id: string; key: string }>(
      `SELECT arrayJoin({ids:Array(String)}) AS id, toString(sipHash64(toFixedString(unhex(splitByChar('/', id)[1]), 16), toFixedString(unhex(splitByChar('/', id)[2]), 8))) AS key`,
      { ids: ids.slice(from, from + 4_000) },
    )
    for (const { id, key } of rows) found.set(key, id)
  }
  return found
}

export interface Score {
  precision: number
  recall: number
  /** Deleted things that leave something to see, and all that were deleted. */
  visible: number
  deleted: number
}

export function scoreOf(named: ReadonlySet<string>, visible: ReadonlySet<string>, deleted: ReadonlySet<string>): Score {
  const right = [...named].filter((id) => deleted.has(id)).length
  return {
    precision: right / Math.max(1, named.size),
    recall: [...visible].filter((id) => named.has(id)).length / Math.max(1, visible.size),
    visible: visible.size,
    deleted: deleted.size,
  }
}
