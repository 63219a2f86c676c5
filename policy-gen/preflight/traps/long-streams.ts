import { callsTo, policyName, requestsOf, selected, type Trap } from '../ground.ts'

/**
 * A connection is authorized when it begins and logged when it ends. What stays open over the change is not asked, and
 * what was open all the time was not seen, so it has no permission when it comes again.
 *
 * Does not see streams inside of HTTP (gRPC, WebSockets), nor how long anything was open: a caller with no more than one
 * connection a day is taken to hold it.
 */
export const longStreams: Trap = {
  id: 'long_streams',
  title: 'connections that stay open over the change, authorized before and logged after',
  find: (ground) =>
    ground.authorization
      .filter(({ targets, action }) => targets.length === 0 && action !== 'AUDIT')
      .flatMap((policy) => {
        const held = selected(ground.inventory, policy, policy.selector)
          .flatMap((workload) => callsTo(ground, workload))
          .filter(({ protocol, requests, days }) => protocol === 'tcp' && requests > 0 && requests <= days)
        if (held.length === 0) return []
        const callers = [...new Set(held.map(({ source }) => source.id))].sort()
        return [
          {
            harm: policy.action === 'ALLOW' ? ('breaks' as const) : ('ignored' as const),
            file: policy.file,
            object: policyName(policy),
            what: `${callers.join(', ')} hold connections for a day or longer: those that are open are not asked, and others like them that did not end were not seen`,
            fix: 'restart the callers, or close these connections, when it is enforced; observe until each has ended once',
            requests: requestsOf(held),
          },
        ]
      }),
}
