import type { TraceRecord } from '../../store/queries/chains.ts'
import { adopt, type Hop, hopOf, isMessage, isOutgoing, learnOperation } from './hop.ts'

/** The hops that spans alone tell of. */
export interface SpanHops {
  hops: Hop[]
  /** Each span's hop: the one whose callee it is a part of. */
  owners: Map<string, Hop>
  spans: Map<string, TraceRecord>
}

/**
 * Puts spans together to hops. A call is a span whose parent is another service's; a client's own span is not the callee's. Spans
 * of one service below an entry are part of its hop. A span whose parent nobody sent begins a hop of its own, and a client's span
 * without any span of the callee is a hop with an unknown callee.
 * @param spans each once, in the order of their times
 */
export function hopsOfSpans(spans: readonly TraceRecord[]): SpanHops {
  const byKey = new Map(spans.map((span) => [span.key, span]))
  const found: SpanHops = { hops: [], owners: new Map(), spans: byKey }
  const fragments = new Map<string, Hop>()
  for (const span of spans) own(span, found, fragments)
  const covered = new Set<string>()
  for (const span of spans) cover(span, found, covered)
  for (const span of spans)
    if (isOutgoing(span) && !span.isDatabase && !covered.has(span.key)) {
      const hop = { ...hopOf(span), via: span, callee: '' }
      adoptInto(found, span, hop)
    }
  for (const hop of found.hops) if (hop.via && !hop.parent) adoptBy(found, hop.via, hop)
  return found
}

/** Finds the hop of a span and of all spans above it. Walks in a loop, for a hostile trace may be as deep as it has spans. */
function own(span: TraceRecord, found: SpanHops, fragments: Map<string, Hop>): void {
  const path: TraceRecord[] = []
  const seen = new Set<string>()
  let current = span
  let hop = found.owners.get(current.key)
  while (!hop) {
    path.push(current)
    seen.add(current.key)
    const parent = found.spans.get(current.parent)
    hop = beginning(current, parent, found, fragments)
    if (hop || !parent) break
    // Spans that are each other's parents: the first that was met begins the hop, as if its parent were missing.
    if (seen.has(parent.key)) hop = fragment(current, found, fragments)
    else {
      hop = found.owners.get(parent.key)
      current = parent
    }
  }
  if (!hop) return
  for (const each of path) {
    found.owners.set(each.key, hop)
    if (!hop.server) {
      hop.at = Math.min(hop.at, each.at)
      hop.until = Math.max(hop.until, each.at + each.durationUs)
    }
  }
}

/** The hop that begins with this span, if one does. */
function beginning(
  span: TraceRecord,
  parent: TraceRecord | undefined,
  found: SpanHops,
  fragments: Map<string, Hop>,
): Hop | undefined {
  if (parent && parent.service === span.service) return undefined
  if (isOutgoing(span) && span.parent !== '') return fragment(span, found, fragments)
  if (!parent && span.parent !== '' && span.kind !== 'server' && span.kind !== 'consumer')
    return fragment(span, found, fragments)
  const hop: Hop = { ...hopOf(span), server: span, callee: span.place, missing: parent ? '' : span.parent }
  if (parent) {
    hop.via = parent
    hop.caller = parent.place
    hop.message = isMessage(span) || isMessage(parent)
    if (parent.kind === 'client') learnOperation(hop, parent)
  }
  found.hops.push(hop)
  return hop
}

/** A hop of which only inner spans are there: all that name the same parent, and are of one service, are of one. */
function fragment(span: TraceRecord, found: SpanHops, fragments: Map<string, Hop>): Hop {
  const id = `${span.parent} ${span.service}`
  const known = fragments.get(id)
  if (known) return known
  const via = found.spans.get(span.parent)
  const hop: Hop = { ...hopOf(span), callee: span.place, method: '', path: '', pathRank: 0, message: false }
  if (via && via.service !== span.service) {
    hop.via = via
    hop.caller = via.place
    learnOperation(hop, via)
  } else hop.missing = span.parent
  fragments.set(id, hop)
  found.hops.push(hop)
  return hop
}

/** Marks outgoing spans that something stands under: an entry of the callee, or an inner client's span. */
function cover(span: TraceRecord, { spans, owners }: SpanHops, covered: Set<string>): void {
  const parent = spans.get(span.parent)
  if (!parent || !(isOutgoing(span) || owners.get(span.key) !== owners.get(parent.key))) return
  const hop = owners.get(parent.key)
  for (
    let above: TraceRecord | undefined = parent;
    above && owners.get(above.key) === hop;
    above = spans.get(above.parent)
  ) {
    if (covered.has(above.key)) return
    covered.add(above.key)
  }
}

function adoptInto(found: SpanHops, span: TraceRecord, hop: Hop): void {
  hop.caller = span.place
  found.hops.push(hop)
  adoptBy(found, span, hop)
}

function adoptBy({ owners }: SpanHops, via: TraceRecord, hop: Hop): void {
  const above = owners.get(via.key)
  if (above && above !== hop) adopt(above, hop)
}
