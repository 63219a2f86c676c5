import type { ObservedOperation } from '../../model/operation.ts'
import { type Counted, defineCheck, tallyOf } from './check.ts'

export const sameDecisions = defineCheck({
  id: 'same-decisions',
  title: 'what a caller may do at a service is the same in every cluster',
  unit: 'operations that are used in several clusters',
  fault: 'are allowed in one cluster and denied in another',
  severity: 'medium',
  // Operations of a few services: of fewer, one in seven could differ, with 95 % confidence (rule of three).
  seenMin: 20,
  blind:
    'operations that nobody used in two clusters; policies that differ and decide alike on what was used; decisions on users, which may differ with whom the requests were for; callers that are only an address',
  fix: 'deliver the service’s policies to every cluster from one source, and read back what each has (cinch policies read-back)',
  reads: ['operations'],
  tally: ({ operations }) => {
    const used = operations.filter(
      ({ source, destination, reporter }) =>
        source.workload !== '' && destination.cluster !== '' && reporter !== 'span',
    )
    const byOperation = Map.groupBy(used, ({ source, destination, method, path }) =>
      JSON.stringify([source.id, destination.id, method, path]),
    )
    return tallyOf([...byOperation.values()].flatMap(countedOf))
  },
})

function countedOf(of: readonly ObservedOperation[]): Counted[] {
  const clusters = [...Map.groupBy(of, ({ destination }) => destination.cluster)].sort(([a], [b]) => (a < b ? -1 : 1))
  const [first] = of
  if (!first || clusters.length < 2) return []
  const decisions = clusters.map(([, operations]) => decisionOf(operations))
  const { source, destination, method, path } = first
  const subject = `${source.id} -> ${[destination.id, method, path].filter((part) => part !== '').join(' ')}`
  const note = `(${clusters.map(([name], at) => `${name}: ${decisions[at]}`).join(', ')})`
  const isSame = new Set(decisions).size === 1
  const differs = decisions.includes('allowed') && decisions.includes('denied')
  return [{ subject, place: destination.id, note, times: 1, shows: differs ? 'unmet' : isSame ? 'met' : 'untold' }]
}

/** `both`: some were served and some refused, which no policy on callers and operations alone does. */
function decisionOf(of: readonly ObservedOperation[]): 'allowed' | 'denied' | 'both' {
  const served = of.some(({ requests }) => requests > 0)
  return of.some(({ denied }) => denied > 0) ? (served ? 'both' : 'denied') : 'allowed'
}
