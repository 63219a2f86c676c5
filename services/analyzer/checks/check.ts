import type { SubjectTally, Tally } from '../../model/check.ts'
import type { DirectoryLink } from '../../model/directory.ts'
import type { Severity } from '../../model/finding.ts'
import type { GraphNode } from '../../model/graph.ts'
import type { Inventory } from '../../model/inventory.ts'
import type { ObservedOperation } from '../../model/operation.ts'
import type { LogFields } from '../../store/queries/log-fields.ts'
import type { UsageRow } from '../../store/queries/rollups.ts'
import type { ContextLost, RootReport } from '../chains/report.ts'
import type { BothEnds } from '../graph/both-ends.ts'
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
  chains: {
    chains: number
    complete: number
    roots: readonly RootReport[]
    context_lost: readonly ContextLost[]
    /** Spans and lines in which chains were not looked for yet. */
    not_looked_at: number
  }
  /** Hops whose caller's request had a user: those that kept it, and those that lost it. */
  users_along: readonly { caller: string; callee: string; met: number; unmet: number }[]
  /** Logs beside request counters, by callee. */
  completeness: readonly Completeness[]
  /** The logs of both ends of a pair. */
  both_ends: readonly BothEnds[]
  /** What lines of access logs tell, by source. */
  fields: readonly LogFields[]
  /** Changes in directories, with what led to them. */
  changes: readonly DirectoryLink[]
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
  /** Of a finding of it. */
  severity: Severity
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
  /** Stays the same from window to window. */
  subject: string
  /** What it is part of, and by whose word it would be seen again; itself when absent. */
  place?: string
  note?: string
  times: number
  /** `aside`: it is not what is asked about; yet whoever told it would have told of the other, too. */
  shows: 'met' | 'unmet' | 'untold' | 'aside'
  /** Of one that shows the contrary: when, ISO 8601. */
  seen?: { first_seen: string; last_seen: string }
}

/** Sums, of all and by subject. */
export function tallyOf(counted: Iterable<Counted>): Tally {
  const sums = { met: 0, unmet: 0, untold: 0 }
  const subjects = new Map<string, SubjectTally>()
  for (const { subject, place = subject, note = '', times, shows, seen } of counted) {
    if (times === 0) continue
    const one = subjects.get(subject) ?? emptyTally(subject, place)
    subjects.set(subject, one)
    one[shows] += times
    if (note !== '') one.note = note
    if (shows !== 'aside') sums[shows] += times
    if (shows !== 'unmet' || !seen) continue
    if (one.first_seen === '' || seen.first_seen < one.first_seen) one.first_seen = seen.first_seen
    if (seen.last_seen > one.last_seen) one.last_seen = seen.last_seen
  }
  return { ...sums, subjects: [...subjects.values()] }
}

/** What may show either way once it is looked at. */
export const notLookedAt = (times: number): Counted => ({
  ...{ subject: '(spans and lines that were not looked at yet)', place: '', times },
  shows: 'untold',
})

const emptyTally = (subject: string, place: string): SubjectTally => ({
  ...{ subject, place, note: '', met: 0, unmet: 0, untold: 0, aside: 0 },
  ...{ first_seen: '', last_seen: '' },
})

/** What a person reads of a subject. */
export const textOf = ({ subject, note }: SubjectTally) => (note === '' ? subject : `${subject} ${note}`)

export const hopName = ({ source, destination }: { source: { id: string }; destination: { id: string } }) =>
  `${source.id} -> ${destination.id}`

/** A hop as it is counted. */
export const hopOf = ({ row, source, destination }: Call<UsageRow>) => ({
  subject: hopName({ source, destination }),
  place: destination.id,
  times: row.requests,
  seen: row,
})

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
