import { type Counted, defineCheck, hopOf, isOutside, tallyOf } from './check.ts'

/** Enforcement points at which requests may come in. */
const INGRESS = new Set(['ingress', 'gateway', 'edge'])

export const ingressThroughGateway = defineCheck({
  id: 'ingress-through-gateway',
  title: 'requests from outside come in through a gateway',
  unit: 'requests from public addresses',
  fault: 'came to a workload past the gateway',
  severity: 'high',
  blind: 'callers outside whose address a load balancer has translated to a private one',
  fix: 'no Service of type LoadBalancer or NodePort but the gateway’s; PeerAuthentication in mode STRICT',
  reads: ['calls'],
  tally: ({ calls }) =>
    tallyOf(
      calls
        .filter(({ row }) => row.requests > 0 && row.destination_kind === 'internal')
        .map((call): Counted => {
          if (!isOutside(call.source)) return { ...hopOf(call), shows: 'aside' }
          const isGateway = call.row.reporter === 'gateway' || INGRESS.has(call.row.enforcement_point)
          return { ...hopOf(call), shows: isGateway ? 'met' : 'unmet' }
        }),
    ),
})
