import { type Counted, defineCheck, tallyOf } from './check.ts'

export const knownWorkloads = defineCheck({
  id: 'known-workloads',
  title: 'every workload that is seen is declared, with whose it is',
  unit: 'seen workloads',
  fault: 'are in no inventory',
  seenMin: 1,
  blind: 'workloads that neither call nor are called; devices and people; callers that are only an address',
  fix: 'load the cluster’s objects (cinch ingest --source kubernetes-objects), and label each workload’s category',
  reads: ['calls', 'inventory'],
  tally: ({ calls, inventory }) => {
    const declared = new Map(inventory.workloads.map((one) => [`${one.namespace}/${one.name}`, one]))
    const nodes = new Map(
      calls.flatMap(({ source, destination }) => [source, destination]).map((node) => [node.id, node]),
    )
    const seen = [...nodes.values()].filter(({ kind }) => kind === 'workload' || kind === 'service')
    return tallyOf(
      seen.map(({ id }): Counted => {
        const known = declared.get(id)
        // Without an inventory it is not known what is declared; without a category, whose it is.
        if (!known) return { name: id, times: 1, shows: declared.size > 0 ? 'unmet' : 'untold' }
        return { name: `${id} (no category)`, times: 1, shows: known.category ? 'met' : 'untold' }
      }),
    )
  },
})
