import { type Counted, defineCheck, tallyOf } from './check.ts'

/** Who speaks of a request in the data plane; spans are what applications say, flows what the network saw. */
const PROXIES = new Set(['destination', 'gateway', 'source'])

export const ownReporter = defineCheck({
  id: 'own-reporter',
  title: 'every workload that is called has a data-plane element of its own that reports',
  unit: 'called workloads',
  fault: 'were only told of by their peers',
  severity: 'medium',
  seenMin: 1,
  blind: 'workloads that nobody calls; a proxy that reports some of its requests and not others; the control plane',
  fix: 'a sidecar, waypoint or node proxy for the workload, and its access log sent here',
  reads: ['calls'],
  tally: ({ calls }) => {
    const within = calls.filter(
      ({ row, destination }) => row.destination_kind === 'internal' && isWorkload(destination),
    )
    // Where no proxy reports at all it is not known what there is.
    const anyProxy = within.some(({ row }) => PROXIES.has(row.reporter))
    const counted = [...Map.groupBy(within, ({ destination }) => destination.id)].map(([subject, of]): Counted => {
      const own = of.some(({ row }) => row.reporter === 'destination' || row.reporter === 'gateway')
      return { subject, times: 1, shows: own ? 'met' : anyProxy ? 'unmet' : 'untold' }
    })
    return tallyOf(counted)
  },
})

const isWorkload = ({ kind }: { kind: string }) => kind === 'workload' || kind === 'service'
