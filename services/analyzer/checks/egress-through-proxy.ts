import { type Counted, defineCheck, hopOf, tallyOf } from './check.ts'

/** Enforcement points through which requests leave. */
const EGRESS = new Set(['egress', 'gateway', 'transit', 'edge'])

export const egressThroughProxy = defineCheck({
  id: 'egress-through-proxy',
  title: 'requests to external hosts leave through an egress proxy',
  unit: 'requests to external hosts',
  fault: 'left past the egress proxy',
  severity: 'medium',
  blind:
    'requests that leave past the caller’s own proxy, too; whether a policy allows the host; hosts behind one address',
  fix: 'route the host through the egress gateway (ServiceEntry, VirtualService), and deny other egress in the network',
  reads: ['calls'],
  tally: ({ calls }) =>
    tallyOf(
      calls
        // The hop to the gateway itself is told in the same line, as one within the platform.
        .filter(({ row }) => row.requests > 0)
        .map((call): Counted => {
          const hop = { ...hopOf(call), place: call.source.id }
          if (call.row.destination_kind !== 'external' || !isHost(call.destination)) return { ...hop, shows: 'aside' }
          return { ...hop, shows: EGRESS.has(call.row.enforcement_point) ? 'met' : 'unmet' }
        }),
    ),
})

const isHost = ({ kind }: { kind: string }) => kind === 'external' || kind === 'address'
