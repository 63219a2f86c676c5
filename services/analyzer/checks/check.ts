import type { Tally } from '../../model/check.ts'
import type { GraphNode } from '../../model/graph.ts'
import type { Inventory } from '../../model/inventory.ts'
import type { ObservedOperation } from '../../model/operation.ts'
import type { UsageRow } from '../../store/queries/rollups.ts'
import type { ContextLost, RootReport } from '../chains/report.ts'
import type { Call } from '../graph/calls.ts'
import type { Completeness } from '../metrics/completeness.ts'

/** What checks look at, of one window. Each is read once for all checks that ask for it, and from rollups only. */
export interface Facts {
  /** The calls, each once, by whose word counts. */
  calls: readonly Call<UsageRow>[]
  /** Every reporter's word, whether it counts or another's. */
  told: readonly UsageRow[]
  operations: readonly ObservedOperation[]
  /** Hops on which only health or metrics were asked for, by probes and scrapers; by `hopName`. */
  noise: ReadonlySet<string>
  inventory: Inventory
  chains: { chains: number; complete: number; roots: readonly RootReport[]; context_lost: readonly ContextLost[] }
  /** Hops whose caller's request had a user: those that kept it, and those that lost it. */
  users_along: readonly { caller: string; callee: string; met: number; unmet: number }[]
  /** Logs beside request counters, by callee. */
  completeness: readonly Completeness[]
}

/** One question with a yes, a no or a "not enough is known": a function of what was read. */
export interface Check<Name extends keyof Facts = keyof Facts> {
  id: string
  /** What holds where it is met. */
  title: string
  /** What is counted, in the plural. */
  unit: string
  /** What those that do not show it did, in the past tense. */
  fault: string
  /** So many must show it; `SEEN_MIN` when absent. */
  seenMin?: number
  /** So large a share may show the contrary; none when absent. */
  unmetShareMax?: number
  /** What it does not see. */
  blind: string
  fix: string
  reads: readonly Name[]
  tally(facts: Pick<Facts, Name>): Tally
}

/** A check as the list has it: it is given all facts, and reads those that it names. */
export function defineCheck<Name extends keyof Facts>(check: Check<Name>): Check {
  return check
}

/** A thing that is counted: what it is called, how often, and which way it shows. */
export interface Counted {
  name: string
  times: number
  shows: 'met' | 'unmet' | 'untold'
}

/** Sums; samples are the names of those that show the contrary, or, without any, of those that are not told. */
export function tallyOf(counted: Iterable<Counted>): Tally {
  const sums = { met: 0, unmet: 0, untold: 0 }
  const names = { met: new Map<string, number>(), unmet: new Map<string, number>(), untold: new Map<string, number>() }
  for (const { name, times, shows } of counted) {
    if (times === 0) continue
    sums[shows] += times
    names[shows].set(name, (names[shows].get(name) ?? 0) + times)
  }
  const told = [...(sums.unmet > 0 ? names.unmet : names.untold)].sort(
    ([a, timesA], [b, timesB]) => timesB - timesA || (a < b ? -1 : 1),
  )
  return { ...sums, samples: told.map(([name]) => name) }
}

export const hopName = ({ source, destination }: { source: { id: string }; destination: { id: string } }) =>
  `${source.id} -> ${destination.id}`

/** Private, shared and loopback networks: RFC 1918, 3927, 4193, 4291, 6598. */
const PRIVATE =
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|127\.|169\.254\.|f[cd][0-9a-f]{2}:|::1$|fe[89ab])/

/** True for a caller that is outside of the platform: a public address. */
export const isOutside = ({ kind, name }: GraphNode) =>
  kind === 'external' || (kind === 'address' && !PRIVATE.test(name))

/** Hops within the platform: served, and not the one by which somebody comes in from outside through a gateway. */
export function hopsWithin(calls: Facts['calls']): Call<UsageRow>[] {
  return calls.filter(
    ({ row, source, destination }) =>
      row.requests > 0 &&
      (row.destination_kind === 'internal' || destination.kind === 'workload') &&
      !isOutside(source) &&
      !(source.kind === 'address' && row.reporter === 'gateway'),
  )
}
