import type { Change, Comparison, EdgeChange, GroupChange } from '../../model/comparison.ts'
import { EVIDENCE } from '../../model/evidence.ts'
import type { GraphEdge } from '../../model/graph.ts'
import { byText } from '../../model/order.ts'
import { everSeen } from '../../store/queries/compare.ts'
import type { UsageRow, Window } from '../../store/queries/rollups.ts'
import type { Told } from '../../store/queries/told.ts'
import type { Store } from '../../store/store.ts'
import { changedOperations, type OperationColumns } from './compare-operations.ts'
import type { Observed, Pair } from './observed.ts'
import { createPairs, type Pairs } from './pairs.ts'
import { EDGES_MAX } from './places.ts'

/** Requests an hour that grew or shrank so many times are a change, where there were enough of them to tell. */
const RATE_FACTOR = 2
const RATE_REQUESTS_MIN = 100

/** A window with the calls in it. */
export interface Side extends Observed {
  window: Window
}

export type Totals = Record<Change, number>

/** What a pair did in a window, over all of its ports. */
type Sums = Pick<GraphEdge, 'source' | 'destination' | 'requests' | 'denied' | 'evidence' | 'mtls'>

type Both = Omit<EdgeChange, 'change' | 'first_seen' | 'last_seen'>

/**
 * What a window has that another had not, and the other way round. Both are named alike, by what is known today. Rates are those of the
 * reporter that counts; that an operation is there or not, any reporter may tell.
 * @param told what there is of either window beside access logs
 * @param candidates operations that an edge has in one of the windows only
 * @param groupOf the group that stands for a node
 */
export async function compare(
  store: Store,
  now: Side,
  earlier: Side,
  told: Told,
  candidates: Promise<OperationColumns>,
  groupOf: (id: string) => string,
): Promise<Comparison> {
  const changed = changedEdges(now, earlier)
  const edges = changed.slice(0, EDGES_MAX)
  const pairs = createPairs([now, earlier])
  const of = { window: now.window, earlier: earlier.window, told }
  const [shownEdges, operations] = await Promise.all([
    withPresence(store, edges, pairs),
    candidates.then((found) => changedOperations(store, of, pairs, found)),
  ])
  const groups = changedGroups(changed, groupOf)
  const shown = groups.slice(0, EDGES_MAX)
  return {
    window: now.window,
    compared_with: earlier.window,
    edges: shownEdges,
    groups: shown,
    operations: operations.listed,
    totals: {
      edges: totalsOf(changed),
      operations: operations.totals,
      shown_edges: edges.length,
      shown_operations: operations.listed.length,
      groups: groups.length,
      shown_groups: shown.length,
    },
    is_partial: operations.isCut,
  }
}

const ORDER: Record<Change, number> = { new: 0, gone: 1, changed: 2 }

/** What is in one window only first, and of that the most used. */
export function mostFirst(
  a: { change: Change; requests: number; requests_before: number } & Pair,
  b: { change: Change; requests: number; requests_before: number } & Pair,
): number {
  return (
    ORDER[a.change] - ORDER[b.change] ||
    Math.max(b.requests, b.requests_before) - Math.max(a.requests, a.requests_before) ||
    byText(a.source, b.source) ||
    byText(a.destination, b.destination)
  )
}

export function totalsOf(rows: readonly { change: Change }[]): Totals {
  const totals = { new: 0, gone: 0, changed: 0 }
  for (const { change } of rows) totals[change]++
  return totals
}

function changedEdges(now: Side, earlier: Side): (Both & { change: Change })[] {
  const [hours, hoursBefore] = [now, earlier].map(
    ({ window }) => (Date.parse(window.until) - Date.parse(window.since)) / 3_600_000,
  ) as [number, number]
  const found: (Both & { change: Change })[] = []
  for (const { sums, before } of pairsOf(now, earlier)) {
    const both = bothOf(sums, before, hours, hoursBefore)
    const change = sums === undefined ? 'gone' : before === undefined ? 'new' : isChanged(both) ? 'changed' : undefined
    if (change) found.push({ ...both, change })
  }
  return found.sort(mostFirst)
}

function bothOf(now: Sums | undefined, before: Sums | undefined, hours: number, hoursBefore: number): Both {
  const { source = '', destination = '' } = now ?? before ?? {}
  return {
    source,
    destination,
    requests: now?.requests ?? 0,
    requests_before: before?.requests ?? 0,
    denied: now?.denied ?? 0,
    denied_before: before?.denied ?? 0,
    rate: (now?.requests ?? 0) / hours,
    rate_before: (before?.requests ?? 0) / hoursBefore,
    evidence: now?.evidence ?? 'none',
    evidence_before: before?.evidence ?? 'none',
    mtls: now?.mtls ?? 'unknown',
    mtls_before: before?.mtls ?? 'unknown',
  }
}

function isChanged(both: Both): boolean {
  const [low, high] = both.rate < both.rate_before ? [both.rate, both.rate_before] : [both.rate_before, both.rate]
  return (
    both.evidence !== both.evidence_before ||
    both.mtls !== both.mtls_before ||
    both.denied > 0 !== both.denied_before > 0 ||
    (Math.max(both.requests, both.requests_before) >= RATE_REQUESTS_MIN && high >= RATE_FACTOR * low)
  )
}

interface Two {
  sums: Sums | undefined
  before: Sums | undefined
}

const sumsOf = (source: string, destination: string, row: UsageRow): Sums => {
  const { requests, denied, source_evidence: evidence, mtls } = row
  return { source, destination, requests, denied, evidence, mtls }
}

function addRow(sums: Sums, row: UsageRow): void {
  sums.requests += row.requests
  sums.denied += row.denied
  if (EVIDENCE[row.source_evidence] > EVIDENCE[sums.evidence]) sums.evidence = row.source_evidence
  // One plaintext call makes the pair one that is not always encrypted.
  if (row.mtls === 'no' || sums.mtls === 'unknown') sums.mtls = row.mtls
}

/** What each pair did in either window, by a number for each pair (see `foldCalls`). */
function pairsOf(now: Side, earlier: Side): Iterable<Two> {
  const numbers = new Map<string, number>()
  const see = (id: string) => numbers.has(id) || numbers.set(id, numbers.size)
  for (const { calls } of [now, earlier])
    for (const { source, destination } of calls) {
      see(source.id)
      see(destination.id)
    }
  const pairs = new Map<number, Two>()
  const read = ({ calls }: Side, side: 'sums' | 'before') => {
    for (const { row, source, destination } of calls) {
      const number = (numbers.get(source.id) ?? 0) * numbers.size + (numbers.get(destination.id) ?? 0)
      let pair = pairs.get(number)
      if (!pair) {
        pair = { sums: undefined, before: undefined }
        pairs.set(number, pair)
      }
      const known = pair[side]
      if (known) addRow(known, row)
      else pair[side] = sumsOf(source.id, destination.id, row)
    }
  }
  read(now, 'sums')
  read(earlier, 'before')
  return pairs.values()
}

/** Changes between groups, those with most of them first. */
function changedGroups(
  changed: readonly (Pair & { change: Change })[],
  groupOf: (id: string) => string,
): GroupChange[] {
  const groups = new Map<string, GroupChange>()
  for (const { source, destination, change } of changed) {
    const [from, to] = [groupOf(source), groupOf(destination)]
    const key = JSON.stringify([from, to])
    const known = groups.get(key) ?? { source: from, destination: to, new: 0, gone: 0, changed: 0 }
    known[change]++
    groups.set(key, known)
  }
  const all = (group: GroupChange) => group.new + group.gone + group.changed
  return [...groups.values()].sort(
    (a, b) => all(b) - all(a) || (a.source + a.destination < b.source + b.destination ? -1 : 1),
  )
}

async function withPresence(
  store: Store,
  edges: readonly (Both & { change: Change })[],
  pairs: Pairs,
): Promise<EdgeChange[]> {
  const told = pairs.of(edges)
  if (told.size === 0) return []
  const ever = await everSeen(store.reads, [...told.keys()])
  const seen = new Map<string, { first_seen: string; last_seen: string }>()
  const keyOf = ({ source, destination }: Pair) => JSON.stringify([source, destination])
  for (const [index, edge] of ever.edge.entries())
    for (const pair of told.get(edge) ?? []) {
      const [first_seen = '', last_seen = ''] = [ever.first_seen[index], ever.last_seen[index]]
      const known = seen.get(keyOf(pair)) ?? { first_seen, last_seen }
      seen.set(keyOf(pair), {
        first_seen: [first_seen, known.first_seen].sort()[0] ?? '',
        last_seen: [last_seen, known.last_seen].sort()[1] ?? '',
      })
    }
  return edges.map((edge) => ({ ...edge, ...(seen.get(keyOf(edge)) ?? { first_seen: '', last_seen: '' }) }))
}
