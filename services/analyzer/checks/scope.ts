import type { GraphNode } from '../../model/graph.ts'
import type { Inventory } from '../../model/inventory.ts'
import type { Readers } from './assess.ts'
import type { Facts } from './check.ts'

/** The part of the platform that is looked at; what is absent does not narrow it. */
export interface Scope {
  /** Cluster of whoever reported. */
  cluster?: string | undefined
  /** Namespace of the callee; of a request that leaves the platform, of its caller. */
  namespace?: string | undefined
  /** Owner of that workload, as the inventory declares it. */
  owner?: string | undefined
}

/**
 * The same facts, of a part of the platform only. Chains and counters know workloads and no clusters: of a workload that runs in several,
 * theirs are of all of these.
 */
export function scoped(readers: Readers, scope: Scope): Readers {
  const { cluster, namespace, owner } = scope
  if (cluster === undefined && namespace === undefined && owner === undefined) return readers
  const belongs = async () => membership(await readers.inventory(), scope)
  const calls = async () => {
    const isIn = await belongs()
    return (await readers.calls()).filter(
      ({ row, source, destination }) =>
        (cluster === undefined || row.cluster === cluster) &&
        isIn((row.destination_kind === 'external' ? source : destination).id),
    )
  }
  // Whether a callee is in the cluster, its own calls tell.
  const isCallee = async () => {
    const isIn = await belongs()
    if (cluster === undefined) return isIn
    const there = new Set((await calls()).map(({ destination }) => destination.id))
    return (id: string) => isIn(id) && there.has(id)
  }
  return {
    ...readers,
    calls,
    told: async () => (await readers.told()).filter((row) => cluster === undefined || row.cluster === cluster),
    operations: async () => {
      const isIn = await belongs()
      return (await readers.operations()).filter(
        ({ destination }) => (cluster === undefined || destination.cluster === cluster) && isIn(destination.id),
      )
    },
    chains: async () => chainsWithin(await readers.chains(), await isCallee()),
    users_along: async () => {
      const isIn = await isCallee()
      return (await readers.users_along()).filter(({ callee }) => isIn(callee))
    },
    completeness: async () => {
      const isIn = await isCallee()
      return (await readers.completeness()).filter(({ callee }) => isIn(callee))
    },
    both_ends: async () => {
      const isIn = await isCallee()
      return (await readers.both_ends()).filter(({ callee }) => isIn(callee))
    },
    // Senders and directories are of no part.
    fields: async () => [],
    changes: async () => [],
  }
}

type IsIn = (id: GraphNode['id']) => boolean

function membership({ workloads }: Inventory, { namespace, owner }: Scope): IsIn {
  const owned = new Set(workloads.filter((one) => one.owner === owner).map((one) => `${one.namespace}/${one.name}`))
  return (id) => (namespace === undefined || id.startsWith(`${namespace}/`)) && (owner === undefined || owned.has(id))
}

function chainsWithin(chains: Facts['chains'], isIn: IsIn): Facts['chains'] {
  const roots = chains.roots.filter(({ callee }) => isIn(callee))
  return {
    ...chains,
    chains: roots.reduce((sum, root) => sum + root.chains, 0),
    complete: roots.reduce((sum, { complete }) => sum + complete, 0),
    roots,
    context_lost: chains.context_lost.filter(({ service }) => isIn(service)),
  }
}
