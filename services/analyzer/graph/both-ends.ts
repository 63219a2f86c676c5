import type { UsageRow } from '../../store/queries/rollups.ts'
import type { Names } from './calls.ts'

/** Requests of a pair as each of its ends logged them, denied ones included. */
export interface BothEnds {
  /** Node ids. */
  caller: string
  callee: string
  by_caller: number
  by_callee: number
}

/** Pairs whose both ends report. Channels that tell of one end count once, by the one that told of most. */
export function bothEnds(told: readonly UsageRow[], names: Names): BothEnds[] {
  const pairs = new Map<string, { ends: Pick<BothEnds, 'caller' | 'callee'>; sums: Map<string, number> }>()
  for (const row of told) {
    if ((row.reporter !== 'source' && row.reporter !== 'destination') || row.protocol === 'tcp') continue
    const { source, destination } = names.endsOf(row)
    if (!source || row.destination_kind !== 'internal') continue
    const pair = JSON.stringify([source.id, destination.id])
    const found = pairs.get(pair) ?? { ends: { caller: source.id, callee: destination.id }, sums: new Map() }
    pairs.set(pair, found)
    const channel = JSON.stringify([row.reporter, row.source_format, row.sender])
    found.sums.set(channel, (found.sums.get(channel) ?? 0) + row.requests + row.denied)
  }
  return [...pairs.values()].flatMap(({ ends, sums }) => {
    const most = (reporter: string) =>
      Math.max(0, ...[...sums].map(([channel, sum]) => (channel.startsWith(`["${reporter}"`) ? sum : 0)))
    const [by_caller, by_callee] = [most('source'), most('destination')]
    return by_caller > 0 && by_callee > 0 ? [{ ...ends, by_caller, by_callee }] : []
  })
}
