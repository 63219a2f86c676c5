import { type Counted, defineCheck, notLookedAt, tallyOf } from './check.ts'

export const forwardedContext = defineCheck({
  id: 'forwarded-context',
  title: 'services pass the tracing context on',
  unit: 'services in chains',
  fault: 'never led on, though they call others',
  severity: 'low',
  seenMin: 2,
  blind: 'a service that passes it on for some of its operations only; services that are in no chain',
  fix: 'instrument the service, or copy the headers traceparent and tracestate from its request to its calls',
  reads: ['chains'],
  tally: ({ chains: { roots, context_lost, not_looked_at } }) => {
    const lost = new Set(context_lost.map(({ service }) => service))
    const seen = new Set(roots.flatMap(({ shapes }) => shapes.flatMap(({ tree }) => (tree ? leadingOn(tree) : []))))
    return tallyOf([
      notLookedAt(not_looked_at),
      ...[...lost].map((subject): Counted => ({ subject, times: 1, shows: 'unmet' })),
      ...[...seen].filter((name) => !lost.has(name)).map((subject): Counted => ({ subject, times: 1, shows: 'met' })),
    ])
  },
})

interface Node {
  callee: string
  calls: readonly Node[]
}

/** Services in a shape that call on; of a leaf nobody knows whether it would. */
const leadingOn = ({ callee, calls }: Node): string[] => [
  ...(calls.length > 0 ? [callee] : []),
  ...calls.flatMap(leadingOn),
]
