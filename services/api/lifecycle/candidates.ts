import type { Unit } from '../../../policy-gen/lifecycle/units.ts'
import type { ObservedOperation } from '../../model/operation.ts'
import type { ReplayResult } from '../../model/replay.ts'
import type { Candidate } from './lifecycle.ts'

/** Units with what the replay of all of them says of their callees' requests. */
export function candidatesOf(
  units: readonly Unit[],
  operations: readonly ObservedOperation[],
  { window, newly_denied }: ReplayResult,
): Candidate[] {
  const requests = new Map<string, number>()
  for (const { destination, requests: served } of operations)
    requests.set(destination.id, (requests.get(destination.id) ?? 0) + served)
  const denied = Map.groupBy(newly_denied, ({ destination }) => destination)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
  return units.map((unit) => {
    const calls = unit.destinations.flatMap((id) => denied.get(id) ?? [])
    return {
      ...unit,
      predicted: {
        window,
        requests: sum(unit.destinations.map((id) => requests.get(id) ?? 0)),
        newly_denied: sum(calls.map((call) => call.requests)),
        denied_operations: calls.length,
      },
    }
  })
}
