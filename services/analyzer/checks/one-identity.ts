import { type Counted, defineCheck, type Facts, tallyOf } from './check.ts'

/** What a workload's own proxy says of itself; a caller's word on another is none. */
interface Own {
  workload: string
  namespace: string
  principal: string
  service: string
}

export const oneIdentity = defineCheck({
  id: 'one-identity',
  title: 'each microservice has one identity, and no other has it',
  unit: 'identities',
  fault: 'were of several services, or one of several that a workload has',
  severity: 'high',
  seenMin: 2,
  blind:
    'workloads that only their peers report; the same workload in two clusters with one identity, which namespace sameness allows; versions of one service may share theirs',
  fix: 'a service account for each microservice, named in its Pods',
  reads: ['calls'],
  tally: ({ calls }) => {
    const own = calls.flatMap(ownOf)
    const byWorkload = Map.groupBy(own, ({ workload }) => workload)
    const counted = [...Map.groupBy(own, ({ principal }) => principal)].map(([principal, of]): Counted => {
      const doubled = of.find(({ workload }) => distinct(byWorkload.get(workload) ?? [], 'principal').length > 1)
      const one = { subject: principal, place: of[0]?.namespace ?? '', times: 1 }
      if (doubled) return { ...one, note: `(${doubled.workload} has others, too)`, shows: 'unmet' }
      const workloads = distinct(of, 'workload')
      if (workloads.length === 1) return { ...one, shows: 'met' }
      const services = workloads.map((name) => servicesOf(of, name))
      const named = { ...one, note: `(${workloads.join(', ')})` }
      // Versions of a service are one microservice; where a service is not told, nobody knows.
      if (services.some((names) => names.size === 0)) return { ...named, shows: 'untold' }
      const [first = new Set<string>()] = services
      const isCommon = [...first].some((service) => services.every((names) => names.has(service)))
      return { ...named, shows: isCommon ? 'met' : 'unmet' }
    })
    return tallyOf(counted)
  },
})

/** Where nothing but the identity names a callee, it says nothing of whose it is. */
function ownOf({ row, destination }: Facts['calls'][number]): Own[] {
  if (row.reporter !== 'destination' || row.destination_principal === '' || destination.workload === '') return []
  const { id: workload, namespace } = destination
  return [{ workload, namespace, principal: row.destination_principal, service: row.destination_service }]
}

const distinct = (of: readonly Own[], key: keyof Own) => [...new Set(of.map((one) => one[key]))].sort()

const servicesOf = (of: readonly Own[], workload: string) =>
  new Set(of.filter((one) => one.workload === workload && one.service !== '').map(({ service }) => service))
