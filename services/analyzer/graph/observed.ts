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
  const { kept, left } = unsettled.size === 0 ? choice : byHour(hops, unsettled, await hoursOf([...unsettled]))
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
      others ??= overruled(left, kept, choice.groupOf)
      for (const { edge, by } of others) if (by.source) visit(edge, by.source.id, by.destination.id)
    },
  }
}

/** Of edges whose word does not count, in no hour, the hop that does. */
function overruled(
  left: readonly Told[],
  kept: readonly Told[],
  groupOf: (pair: string) => string,
): { edge: string; by: Told }[] {
  if (left.length === 0) return []
  const others = [new Map<string, Told>(), new Map<string, Told>()] as const
  const side = ({ isBehind }: Told) => others[isBehind ? 1 : 0]
  for (const hop of left) side(hop).set(hop.row.edge, hop)
  for (const hop of kept) side(hop).delete(hop.row.edge)
  const hops = others.flatMap((of) => [...of.values()])
  const counts = new Map<string, Told | undefined>(hops.map(({ pair }) => [groupOf(pair), undefined]))
  for (const hop of kept) if (hop.source && counts.has(groupOf(hop.pair))) counts.set(groupOf(hop.pair), hop)
  return hops.flatMap(({ pair, row }) => {
    const by = counts.get(groupOf(pair))
    return by ? [{ edge: row.edge, by }] : []
  })
}

const keyOf = ({ row, isBehind }: Pick<Told, 'isBehind'> & { row: { edge: string } }) => `${row.edge} ${isBehind}`

function byHour(hops: readonly Told[], unsettled: Set<string>, hours: readonly HourRow[]) {
  const hoursOf = Map.groupBy(hours, ({ edge }) => edge)
  const split = hops.flatMap((hop) =>
    unsettled.has(hop.row.edge) ? (hoursOf.get(hop.row.edge) ?? []).map((hour) => within(hop, hour)) : [hop],
  )
  const { kept, left } = chooseHops(split)
  const lost = hops.filter(({ row: { edge } }) => unsettled.has(edge) && !hoursOf.has(edge))
  return { kept, left: [...left, ...lost] }
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
