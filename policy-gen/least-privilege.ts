import type { Inventory } from '../services/model/inventory.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import { GRANULARITIES, type Granularity } from '../services/model/permission.ts'
import { operationOf } from './declared/operations.ts'
import { type GenerateOptions, generate } from './generate.ts'
import type { RegoEngine } from './replay/layer.ts'
import { replay } from './replay/replay.ts'
import { readAssumed } from './report.ts'
import type { Target } from './targets/target.ts'

/** Pairs of a caller and an operation that are asked; each costs a decision of the files. */
const PAIRS_MAX = 200_000

/** How many pairs of a caller and an operation of its callee something allows, of those that were seen at that callee. */
export interface Width {
  allowed: number
  /** Of them neither observed nor declared. */
  beyond: number
}

/** What `cinch policies privilege` answers. */
export interface Privilege {
  target: string
  /** At each callee every caller that was seen there with every operation that was. */
  pairs: number
  /** Pairs that were not asked, for there are too many. */
  left_out: number
  observed: number
  declared: number
  by: (Width & { granularity: Granularity })[]
  /** One rule for each callee, of all its callers and all its operations: what generators without evidence write. */
  union: Width
}

/**
 * How much more than was observed or declared policies allow, by the granularity: the files that are written are asked, each caller
 * with each operation of its callee.
 *
 * @param seen operations as they were observed; @param taught the same with learned templates, of which policies are made
 */
export function leastPrivilege(
  seen: readonly ObservedOperation[],
  taught: readonly ObservedOperation[],
  inventory: Inventory,
  target: Target,
  options: GenerateOptions,
  rego: RegoEngine | null = null,
): Privilege {
  const declared = (options.declared?.active ?? []).map(operationOf)
  const served = seen.filter(({ requests, notFound = 0, source }) => requests > notFound && source.principal !== '')
  const known = new Set([...served, ...declared].map(pairKey))
  const all = pairsOf([...served, ...declared])
  const pairs = all.slice(0, PAIRS_MAX)
  const isKnown = (pair: ObservedOperation) => known.has(pairKey(pair))
  const by = GRANULARITIES.map((granularity) => {
    const { files } = generate(taught, inventory, target, { ...options, granularity })
    const context = { inventory, assumed: readAssumed(files), window: options.window, rego }
    // Each pair is one request: what is not denied for sure is allowed.
    const allowedOf = (some: readonly ObservedOperation[]) =>
      some.length - replay(files, some, context).newly_denied.length
    const [needed, others] = [pairs.filter(isKnown), pairs.filter((pair) => !isKnown(pair))]
    const beyond = allowedOf(others)
    return { granularity, allowed: allowedOf(needed) + beyond, beyond }
  })
  return {
    target: target.id,
    pairs: pairs.length,
    left_out: all.length - pairs.length,
    observed: new Set(served.map(pairKey)).size,
    declared: new Set(declared.map(pairKey)).size,
    by,
    union: { allowed: pairs.length, beyond: pairs.filter((pair) => !isKnown(pair)).length },
  }
}

const calleeKey = ({ destination }: ObservedOperation) =>
  JSON.stringify([destination.cluster, destination.namespace, destination.workload])
const operationKey = ({ workloadPort, servicePort, protocol, method, path, pathFlags }: ObservedOperation) =>
  JSON.stringify([workloadPort, servicePort, protocol, method, path, pathFlags])
const pairKey = (operation: ObservedOperation) =>
  JSON.stringify([calleeKey(operation), operation.source.principal, operationKey(operation)])

function pairsOf(operations: readonly ObservedOperation[]): ObservedOperation[] {
  return [...Map.groupBy(operations, calleeKey).values()].flatMap((own) => {
    const callers = new Map(own.map((one) => [one.source.principal, one.source]))
    const kinds = new Map(own.map((one) => [operationKey(one), one]))
    return [...callers.values()].flatMap((source) =>
      [...kinds.values()].map((kind) => ({
        ...kind,
        source,
        mtls: 'yes' as const,
        requests: 1,
        notFound: 0,
        denied: 0,
      })),
    )
  })
}
