import type { ObservedOperation } from '../../../services/model/operation.ts'
import { type InventoryIndex, indexInventory } from '../../inventory-index.ts'
import { policiesByCallee } from '../../replay/istio/callee.ts'
import { requestsOf, type Trap } from '../ground.ts'

/** Where mutual TLS becomes STRICT, plaintext is refused before any rule is asked. */
export const strictPlaintext: Trap = {
  id: 'strict_plaintext',
  title: 'STRICT mutual TLS where callers were seen in plaintext',
  find: ({ peers, inventory, operations }) => {
    const index = indexInventory(inventory)
    const policiesOf = policiesByCallee({ authorization: [], peers, tokens: [], ignored: [] }, index, null)
    const strictBy = ({ destination, workloadPort }: ObservedOperation) =>
      callees(destination, index)
        .map((callee) => policiesOf(callee).mutualTls(workloadPort))
        .find(({ mode }) => mode === 'STRICT')?.by
    const refused = operations
      .filter(({ mtls, requests }) => mtls === 'no' && requests > 0)
      .flatMap((operation) => {
        const by = strictBy(operation)
        return by === undefined ? [] : [{ by, operation }]
      })
    return [...Map.groupBy(refused, ({ by }) => by)].map(([by, found]) => {
      const calls = found.map(({ operation }) => operation)
      const hops = [...new Set(calls.map(({ source, destination }) => `${source.id} → ${destination.id}`))].sort()
      return {
        harm: 'breaks' as const,
        file: peers.find(({ namespace, name }) => by.includes(`${namespace}/${name}`))?.file ?? '',
        object: by,
        what: `plaintext hops end: ${hops.slice(0, 5).join(', ')}${hops.length > 5 ? ` and ${hops.length - 5} more` : ''}`,
        fix: 'give these callers a sidecar or ambient mode first, or keep the port PERMISSIVE by portLevelMtls until they have one',
        requests: requestsOf(calls),
      }
    })
  },
}

/** The workloads that a callee's name can stand for: of one that is a Service's, each may be reached. */
function callees(party: ObservedOperation['destination'], index: InventoryIndex): ObservedOperation['destination'][] {
  const found = index.behind(party)
  return found.length > 0 ? found.map(({ name }) => ({ ...party, workload: name })) : [party]
}
