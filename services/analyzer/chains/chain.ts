import { byText } from '../../model/order.ts'
import { TRACE_RECORDS_MAX, type Trace, type TraceRecord } from '../../store/queries/chains.ts'
import { type Findings, findGaps } from './gaps.ts'
import { type Hop, isLine, SLACK_US } from './hop.ts'
import { addLines } from './lines.ts'
import { nest } from './nest.ts'
import { hopsOfSpans } from './spans.ts'

/** Spans and lines, repetitions not counted, that one chain is made of; those that began later are cut, and it is said. */
export const CHAIN_RECORDS_MAX = 2_000

/** One request and the calls that complete it. Times are microseconds since 1970. */
export interface Chain extends Findings {
  trace: string
  at: number
  until: number
  root: Hop | undefined
  hops: Hop[]
  /** Records that were left out, repetitions of them too. */
  cut: number
}

/** Puts a trace's spans and lines together. The same records in any order, and any of them twice, give the same chain. */
export function chainOf(trace: Trace): Chain {
  const distinct = distinctRecords(trace.records)
  const records = distinct.slice(0, CHAIN_RECORDS_MAX)
  const cut = distinct.length - records.length + Math.max(0, trace.total - TRACE_RECORDS_MAX)
  const found = hopsOfSpans(records.filter((record) => !isLine(record)))
  addLines(found, records.filter(isLine))
  const root = nest(found.hops)
  const findings = findGaps(found.hops, root)
  if (cut > 0) findings.gaps.push({ kind: 'cut', caller: '', callee: root?.callee ?? '', operation: '', key: '' })
  return {
    ...findings,
    trace: trace.id,
    at: trace.began,
    until: records.reduce((until, { at, durationUs }) => Math.max(until, at + durationUs), 0),
    root,
    hops: found.hops,
    cut,
  }
}

/** In the order of time; a span that is there twice, or whose id another has, once. A line that is there twice is one. */
function distinctRecords(records: readonly TraceRecord[]): TraceRecord[] {
  const ordered = records.toSorted((a, b) => a.at - b.at || byText(a.key, b.key) || byText(a.kind, b.kind))
  const seen = new Set<string>()
  return ordered.filter((record) => {
    const id = isLine(record) ? JSON.stringify(record) : record.key
    if (seen.has(id)) return false
    seen.add(id)
    return true
  })
}

/** Whether a hop is waited for: a message is not, nor what begins after its caller has ended, or ends after it. */
export function asynchrony(hop: Hop): '' | 'message' | 'after' | 'outlives' {
  if (hop.message) return 'message'
  const { parent } = hop
  if (!parent) return ''
  if (hop.at > parent.until + SLACK_US) return 'after'
  return hop.until > parent.until + SLACK_US ? 'outlives' : ''
}

/** The most calls that one hop, or the job that begins the chain, makes. */
export const fanOut = ({ root, hops }: Pick<Chain, 'root' | 'hops'>) =>
  hops.reduce((most, { children }) => Math.max(most, children.length), root?.children.length ?? 0)

/**
 * The hop that tells what was asked for: the root or, where the root only knows a route such as `/*` and makes one call, what it
 * passes the request on to.
 */
export function rootOperation(root: Hop): Hop {
  let hop = root
  for (let [only] = hop.children; hop.children.length === 1 && only && isCatchAll(hop.path); [only] = hop.children)
    hop = only
  return hop
}

const isCatchAll = (path: string) => path === '' || path.endsWith('*')
