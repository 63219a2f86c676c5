import { namespaceOf } from '../../../policy-gen/callers.ts'
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
  const served = Map.groupBy(operations, ({ destination }) => destination.id)
  const denied = Map.groupBy(newly_denied, ({ destination }) => destination)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
  return units.map((unit) => {
    const { destinations, from } = unit
    const calls = destinations
      .flatMap((id) => denied.get(id) ?? [])
      .filter(({ source }) => from === undefined || isWithin(source, from))
    const own = destinations
      .flatMap((id) => served.get(id) ?? [])
      .filter(({ source }) => from === undefined || namespaceOf(source) === from)
    return {
      ...unit,
      predicted: {
        window,
        requests: sum(own.map(({ requests }) => requests)),
        newly_denied: sum(calls.map((call) => call.requests)),
        denied_operations: calls.length,
      },
    }
  })
}

/** Of a caller as replay names it: its principal, else `namespace/workload`. */
function isWithin(source: string, namespace: string): boolean {
  return source.startsWith(`${namespace}/`) || `/${source}`.includes(`/ns/${namespace}/`)
}
