import type { Workload } from '../../../services/model/inventory.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import type { RequestAuthentication } from '../../replay/istio/read-tokens.ts'
import { trusted } from '../../replay/istio/users.ts'
import { callsTo, type Ground, requestsOf, selected, servedBy, type Trap } from '../ground.ts'

/**
 * With the first RequestAuthentication of a callee, tokens that were ignored until now are verified: one of another issuer
 * becomes 401, with whatever the application did without it.
 *
 * Does not see tokens that have expired, nor callees of whose requests nobody told the tokens.
 */
export const foreignToken: Trap = {
  id: 'foreign_token',
  title: 'a RequestAuthentication where tokens of other issuers are sent',
  find: (ground) => {
    const found = new Map<RequestAuthentication, { calls: ObservedOperation[]; names: Set<string> }>()
    for (const workload of ground.inventory.workloads) {
      const [first, ...others] = ground.tokens.filter(
        (one) => one.issuers.length > 0 && holdsFor(ground, one, workload),
      )
      if (!first) continue
      const issuers = new Set([first, ...others].flatMap((one) => one.issuers))
      const refused = callsTo(ground, workload).filter(({ users, protocol }) => {
        return users !== undefined && protocol !== 'tcp' && trusted(users, issuers) !== 'yes'
      })
      if (refused.length === 0) continue
      const entry = found.get(first) ?? { calls: [], names: new Set() }
      entry.calls.push(...refused)
      for (const { issuer } of refused.flatMap(({ users }) => users?.seen ?? []))
        if (!issuers.has(issuer)) entry.names.add(issuer)
      found.set(first, entry)
    }
    return [...found].map(([{ file, namespace, name }, { calls, names }]) => ({
      harm: 'breaks' as const,
      file,
      object: `RequestAuthentication ${namespace}/${name}`,
      what: `tokens of ${[...names].sort().join(', ')} were sent and will be answered with 401, as will those that have expired`,
      fix: 'name these issuers too, or let their callers stop sending tokens, before it is applied',
      requests: requestsOf(calls),
    }))
  },
}

function holdsFor(ground: Ground, one: RequestAuthentication, workload: Workload): boolean {
  if (one.targets.length === 0) return selected(ground.inventory, one, one.selector).includes(workload)
  return one.targets.some(
    ({ group, kind, name }) =>
      group === '' && kind === 'Service' && servedBy(ground, one.namespace, name).includes(workload),
  )
}
