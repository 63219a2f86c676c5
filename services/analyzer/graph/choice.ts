import { EVIDENCE, REPORTER } from '../../model/evidence.ts'
import type { UsageRow } from '../../store/queries/rollups.ts'
import type { Hop } from './calls.ts'
import { createUnion } from './union.ts'

/** A hop with its usage in the whole window, or in one hour of it. */
export type Told = Hop<UsageRow & { hour?: string; marks?: number[] }>

export interface Choice {
  kept: Told[]
  /** Hops whose word does not count, there. */
  left: Told[]
  /** Edges whose sums over the window do not tell which rows count: what was left out was active when the kept ones were not. */
  unsettled: Set<string>
  /** Equal for pairs that are the same. */
  groupOf(pair: string): string
}

/** What one channel told of a pair of parties, as one kind of reporter. */
interface View {
  channel: string
  hops: Told[]
  strength: number
  requests: number
}

const channelOf = ({ row }: Told) => `${row.source_format} ${row.sender}`
const strengthOf = ({ row }: Told) => EVIDENCE[row.source_evidence] * 10 + REPORTER[row.reporter]

/**
 * Each call once: both proxies, gateways, spans and flows may tell of it, each in several channels.
 *
 * Hops between the same parties are looked at together, by the hour where the rows tell it, and those of the strongest evidence and
 * reporter are kept. Of its channels, those that told of the same requests are one: the one with the strongest evidence, then
 * with the most requests, is taken. Channels that have no request in common (a callee whose proxies send in different ways, a
 * change from one way to another) add up. Which it is, marks tell, and no application can choose those.
 */
export function chooseHops(hops: readonly Told[]): Choice {
  const unsettled = new Set<string>()
  const overlaps = findOverlaps(hops)
  const kept: Told[] = []
  const left: Told[] = []
  for (const group of groupsOf(hops, overlaps)) {
    if (!Array.isArray(group)) kept.push(group)
    else {
      const views = strongest(group, overlaps)
      if (!isSettled(group, views)) for (const { row } of group) unsettled.add(row.edge)
      const counted = new Set(views.flatMap((view) => view.hops))
      for (const hop of counted) kept.push(hop)
      for (const hop of group) if (!counted.has(hop)) left.push(hop)
    }
  }
  return { kept, left, unsettled, groupOf: overlaps.groupOf }
}

/** Hops that are looked at together; most are alone, and an array for each was a third of the cost of 60,000. */
function groupsOf(hops: readonly Told[], overlaps: Overlaps): Iterable<Told | Told[]> {
  const groups = new Map<string, Told | Told[]>()
  for (const hop of hops) {
    const pair = overlaps.groupOf(hop.pair)
    const key = hop.row.hour === undefined ? pair : `${hop.row.hour} ${pair}`
    const known = groups.get(key)
    if (known === undefined) groups.set(key, hop)
    else if (Array.isArray(known)) known.push(hop)
    else groups.set(key, [known, hop])
  }
  return groups.values()
}

interface Overlaps {
  /** The pair that stands for all pairs that are the same. */
  groupOf(pair: string): string
  /** True when both channels told of some request, as the same reporter of the same workload. */
  areOne(a: Told, b: Told): boolean
}

/** Two channels with a mark in common told of the same requests, also where one of them knows an address only. */
function findOverlaps(hops: readonly Told[]): Overlaps {
  const pairs = createUnion()
  const observers = createUnion()
  const channels = createUnion()
  const [first] = hops
  const isOneChannel = hops.every(
    ({ row }) => row.source_format === first?.row.source_format && row.sender === first.row.sender,
  )
  const shared = isOneChannel ? [] : sharedMarks(hops)
  const observerOf = ({ row, observer }: Told) => JSON.stringify([row.reporter, observer])
  for (const [a, b] of shared) {
    pairs.join(a.pair, b.pair)
    observers.join(observerOf(a), observerOf(b))
  }
  const watched = (hop: Told) => JSON.stringify([observers.find(observerOf(hop)), channelOf(hop)])
  for (const [a, b] of shared) channels.join(watched(a), watched(b))
  if (shared.length === 0) return { groupOf: (pair) => pair, areOne: () => false }
  return { groupOf: pairs.find, areOne: (a, b) => channels.find(watched(a)) === channels.find(watched(b)) }
}

function sharedMarks(hops: readonly Told[]): [Told, Told][] {
  const first = new Map<string, Told[]>()
  const shared: [Told, Told][] = []
  const marked = hops.flatMap((hop) => (hop.row.marks ?? [hop.row.mark]).map((mark) => [hop, mark] as const))
  for (const [hop, number] of marked) {
    if (number === 0) continue
    const mark = `${hop.row.reporter} ${hop.isBehind} ${number}`
    const known = first.get(mark)
    if (!known) first.set(mark, [hop])
    else {
      for (const other of known)
        if (channelOf(other) !== channelOf(hop) && mayBeOne(other, hop)) shared.push([other, hop])
      if (known.length < SHARING_MAX) known.push(hop)
    }
  }
  return shared
}

/** Hops that are looked at for one mark: more than there are ways to tell of a request. */
const SHARING_MAX = 32

/** Whoever is named differently, or was in another cluster, is not the same: a mark joins an address with a name, never two names. */
function mayBeOne(a: Told, b: Told): boolean {
  const isOneParty = (left: string, right: string) => left === right || isAddress(left) || isAddress(right)
  const isOneCluster = a.row.cluster === b.row.cluster || a.row.cluster === '' || b.row.cluster === ''
  return isOneCluster && isOneParty(a.caller, b.caller) && isOneParty(a.callee, b.callee)
}

const isAddress = (key: string) => key.startsWith('address:')

function strongest(group: Told[], overlaps: Overlaps): View[] {
  const best = group.reduce((a, b) => (strengthOf(b) > strengthOf(a) ? b : a))
  const reporters = group.filter(({ row }) => row.reporter === best.row.reporter)
  if (reporters.length === 1) return [viewOf(['', reporters])]
  const views = [...Map.groupBy(reporters, channelOf)].map(viewOf)
  if (views.length === 1) return views
  const kept: View[] = []
  for (const view of views.sort(better)) {
    const isTold = kept.some((other) => other.hops.some((a) => view.hops.some((b) => overlaps.areOne(a, b))))
    if (!isTold) kept.push(view)
  }
  return kept
}

const viewOf = ([channel, hops]: [string, Told[]]): View => ({
  channel,
  hops,
  strength: Math.max(...hops.map(strengthOf)),
  requests: hops.reduce((sum, { row }) => sum + row.requests + row.denied, 0),
})

/** At a tie, whoever names workloads, not only their services; the channel's name makes the choice always the same. */
const better = (a: View, b: View) =>
  b.strength - a.strength || b.requests - a.requests || named(b) - named(a) || (a.channel < b.channel ? -1 : 1)

const named = ({ hops }: View) => hops.filter(({ row }) => row.destination_workload !== '').length

const activeIn = (hops: readonly Told[]) => hops.reduce((active, { row }) => active | BigInt(row.active), 0n)

/** Settled is an hour, and a window in which no other row was active at a time when the kept ones were not, nor channels add up. */
function isSettled(group: Told[], views: View[]): boolean {
  const isHour = group.some(({ row }) => row.hour !== undefined)
  if (isHour) return true
  if (views.length > 1) return false
  return (activeIn(group) & ~activeIn(views.flatMap(({ hops }) => hops))) === 0n
}
