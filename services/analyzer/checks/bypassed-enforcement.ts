import { type Counted, defineCheck, hopName, hopOf, hopsWithin, tallyOf } from './check.ts'

export const bypassedEnforcement = defineCheck({
  id: 'bypassed-enforcement',
  title: 'what the network saw between workloads, an enforcement point logged as well',
  unit: 'pairs of workloads',
  fault: 'talked past every enforcement point',
  severity: 'critical',
  seenMin: 1,
  blind:
    'what the network layer does not report: without flows (Hubble) nothing is known, also of a cluster that has none beside one that has; a flow around the proxy beside logged requests of the same pair; traffic within a Pod',
  fix: 'see why the traffic is not redirected: excluded ports, host network, a workload without a proxy',
  reads: ['calls', 'told'],
  tally: ({ calls, told }) => {
    const hasFlows = told.some(({ reporter }) => reporter === 'flow')
    const hops = hasFlows ? hopsWithin(calls).filter(({ row }) => row.reporter !== 'span') : []
    const pairs = Map.groupBy(hops, hopName)
    return tallyOf(
      [...pairs.values()].flatMap((of): Counted[] => {
        const isPast = of.every(({ row }) => row.reporter === 'flow')
        return of.slice(0, 1).map((call) => ({ ...hopOf(call), times: 1, shows: isPast ? 'unmet' : 'met' }))
      }),
    )
  },
})
