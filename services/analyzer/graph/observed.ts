import type { Inventory } from '../../model/inventory.ts'
import type { UnnamedRow } from '../../store/queries/join-answers.ts'
import type { HourRow, KeptHours, OperationRow, UsageRow } from '../../store/queries/rollups.ts'
import { type Calls, callsOf, createNaming } from './calls.ts'
import { chooseHops, type Told } from './choice.ts'
import type { Parties } from './parties.ts'

/** The calls of a window, each once, and what says which of the rows told of them. */
export interface Observed extends Calls<UsageRow> {
  parties: Parties
  /** Edges of which only some hours count, and these. */
  partial: KeptHours
  /** The same calls with operations, from the rows of all edges; of partial edges, from those of the kept hours. */
  operations(rows: readonly OperationRow[]): Calls<OperationRow>
}

/**
 * @param hoursOf the usage of some edges by the hour; asked for only where the sums over the window do not settle what counts
 * @param why what the caller join says of callers that it did not find
 */
export async function observe(
  rows: readonly UsageRow[],
  inventory: Inventory,
  hoursOf: (edges: string[]) => Promise<HourRow[]>,
  why: readonly UnnamedRow[] = [],
): Promise<Observed> {
  const naming = createNaming(rows, inventory)
  const hops = rows.flatMap((row) => naming(row))
  const choice = chooseHops(hops)
  const { unsettled } = choice
  const kept = unsettled.size === 0 ? choice.kept : byHour(hops, unsettled, await hoursOf([...unsettled]))
  const chosen = new Set(kept.map(keyOf))
  return {
    ...callsOf(kept, why),
    parties: naming.parties,
    partial: hoursKept(kept),
    operations: (operations) =>
      callsOf(
        operations.flatMap((row) => naming(row)).filter((hop) => chosen.has(keyOf(hop))),
        why,
      ),
  }
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
