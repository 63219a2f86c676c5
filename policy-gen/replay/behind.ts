import type { InventoryIndex } from '../inventory-index.ts'
import type { Asked, Layer, Verdict } from './layer.ts'

/**
 * An operation as each of the workloads would see it that its ends can stand for: one that is known by its Service's name may have been
 * any of those behind it. Itself alone where nothing is to be told apart.
 */
export function behindEnds(asked: Asked, index: InventoryIndex): Asked[] {
  const { source, destination } = asked.operation
  const sources = named(source, index)
  return named(destination, index).flatMap((callee) =>
    sources.map((caller) => ({
      ...asked,
      operation: {
        ...asked.operation,
        source: { ...source, workload: caller },
        destination: { ...destination, workload: callee },
      },
    })),
  )
}

function named(party: Parameters<InventoryIndex['behind']>[0], index: InventoryIndex): string[] {
  const found = index.behind(party).map(({ name }) => name)
  return found.length > 0 ? found : [party.workload]
}

/** Asks for each workload behind a Service's name; what they do not agree on cannot be decided from what was observed. */
export function decideBehind(decide: Layer, index: InventoryIndex): Layer {
  return (asked) => {
    const ends = asked.map((one) => behindEnds(one, index))
    const verdicts = decide(ends.flat())
    let from = 0
    return ends.map((parts) => {
      const own = verdicts.slice(from, from + parts.length)
      from += parts.length
      return agreed(parts, own)
    })
  }
}

function agreed(parts: readonly Asked[], verdicts: readonly Verdict[]): Verdict {
  const [first = { allowed: 'unknown', reason: '' }] = verdicts
  const other = verdicts.findIndex(({ allowed }) => allowed !== first.allowed)
  if (other < 0) return first
  const told = [0, other].map((at) => `${nameOf(parts[at])}: ${verdicts[at]?.reason ?? ''}`)
  return { allowed: 'unknown', reason: `not known: which of the Service's workloads it was (${told.join('; ')})` }
}

function nameOf(asked: Asked | undefined): string {
  const { source, destination } = asked?.operation ?? {}
  return `${source?.workload ?? ''} to ${destination?.workload ?? ''}`
}
