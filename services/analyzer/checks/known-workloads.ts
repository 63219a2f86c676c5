import { type Counted, defineCheck, tallyOf } from './check.ts'

export const knownWorkloads = defineCheck({
  id: 'known-workloads',
  title: 'every workload that is seen is declared, with whose it is',
  unit: 'seen workloads',
  fault: 'are in no inventory',
  severity: 'medium',
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
      seen.map(({ id: subject, namespace: place }): Counted => {
        const known = declared.get(subject)
        const one = { subject, place, times: 1 }
        // Without an inventory it is not known what is declared; without a category, whose it is.
        if (!known) return { ...one, shows: declared.size > 0 ? 'unmet' : 'untold' }
        return known.category ? { ...one, shows: 'met' } : { ...one, note: '(no category)', shows: 'untold' }
      }),
    )
  },
})
