import type { UnnamedRow } from '../../store/queries/join-answers.ts'
import type { HourRow, KeptHours, OperationRow, UsageRow } from '../../store/queries/rollups.ts'
import { type Calls, callsOf, createNaming, type Names } from './calls.ts'
import { chooseHops, type Told } from './choice.ts'

/** The calls of a window, each once, and what says which of the rows told of them. */
export interface Observed extends Calls<UsageRow> {
  /** Edges of which only some hours count, and these. */
  partial: KeptHours
  /** The same calls with operations, from the rows of all edges; of partial edges, from those of the kept hours. */
  operations(rows: readonly OperationRow[]): Calls<OperationRow>
  /** Visits of whom each edge told, whether its word counts or another's: the ends of the call that does. One may come several times. */
  ends(visit: Visit): void
}

/** @param source node id, as `destination` is */
export type Visit = (edge: string, source: string, destination: string) => void

/** Node ids. */
export interface Pair {
  source: string
  destination: string
}

/**
 * @param hoursOf the usage of some edges by the hour; asked for only where the sums over the window do not settle what counts
 * @param why what the caller join says of callers that it did not find
 */
export async function observe(
  rows: readonly UsageRow[],
  names: Names,
  hoursOf: (edges: string[]) => Promise<HourRow[]>,
  why: readonly UnnamedRow[] = [],
): Promise<Observed> {
  const naming = createNaming(rows, names)
  const hops: Told[] = []
  for (const row of rows) for (const hop of naming(row)) hops.push(hop)
  const choice = chooseHops(hops)
  const { unsettled } = choice
  const kept = unsettled.size === 0 ? choice.kept : byHour(hops, unsettled, await hoursOf([...unsettled]))
  let others: ReturnType<typeof overruled> | undefined
  return {
    ...callsOf(kept, why),
    partial: hoursKept(kept),
    operations: (operations) => {
      const chosen = new Set(kept.map(keyOf))
      return callsOf(
        operations.flatMap((row) => naming(row)).filter((hop) => chosen.has(keyOf(hop))),
        why,
      )
    },
    ends: (visit) => {
      for (const { row, source, destination } of kept) if (source) visit(row.edge, source.id, destination.id)
      others ??= overruled(hops, kept, choice.groupOf)
      for (const { edge, by } of others) if (by.source) visit(edge, by.source.id, by.destination.id)
    },
  }
}

/** Of edges whose word does not count, the hop that does. */
function overruled(
  hops: readonly Told[],
  kept: readonly Told[],
  groupOf: (pair: string) => string,
): { edge: string; by: Told }[] {
  if (kept.length === hops.length) return []
  const own = new Set(kept.filter(({ isBehind }) => !isBehind).map(({ row }) => row.edge))
  const ownBehind = new Set(kept.filter(({ isBehind }) => isBehind).map(({ row }) => row.edge))
  const others = hops.filter(({ isBehind, row }) => !(isBehind ? ownBehind : own).has(row.edge))
  const counts = new Map<string, Told | undefined>(others.map(({ pair }) => [groupOf(pair), undefined]))
  for (const hop of kept) if (hop.source && counts.has(groupOf(hop.pair))) counts.set(groupOf(hop.pair), hop)
  return others.flatMap(({ pair, row }) => {
    const by = counts.get(groupOf(pair))
    return by ? [{ edge: row.edge, by }] : []
  })
}

const keyOf = ({ row, isBehind }: Pick<Told, 'isBehind'> & { row: { edge: string } }) => `${row.edge} ${isBehind}`

function byHour(hops: readonly Told[], unsettled: Set<string>, hours: readonly HourRow[]): Told[] {
  const hoursOf = Map.groupBy(hours, ({ edge }) => edge)
  const split = hops.flatMap((hop) =>
    unsettled.has(hop.row.edge) ? (hoursOf.get(hop.row.edge) ?? []).map((hour) => within(hop, hour)) : [hop],
  )
  return chooseHops(split).kept
}

const within = (hop: Told, hour: HourRow): Told => ({
  ...hop,
  row: { ...hop.row, ...hour, denied: hop.isBehind ? 0 : hour.denied },
})

function hoursKept(kept: readonly Told[]): KeptHours {
  const hours: KeptHours = new Map()
  for (const { row } of kept)
    if (row.hour !== undefined) hours.set(row.edge, [...(hours.get(row.edge) ?? []), row.hour])
  return hours
}
