import { indexInventory } from '../../inventory-index.ts'
import { policiesByCallee } from '../../replay/istio/callee.ts'
import { requestsOf, type Trap } from '../ground.ts'

/** Where mutual TLS becomes STRICT, plaintext is refused before any rule is asked. */
export const strictPlaintext: Trap = {
  id: 'strict_plaintext',
  title: 'STRICT mutual TLS where callers were seen in plaintext',
  find: ({ peers, inventory, operations }) => {
    const policiesOf = policiesByCallee(
      { authorization: [], peers, tokens: [], ignored: [] },
      indexInventory(inventory),
      null,
    )
    const refused = operations.filter(({ mtls, requests, destination, workloadPort }) => {
      return mtls === 'no' && requests > 0 && policiesOf(destination).mutualTls(workloadPort).mode === 'STRICT'
    })
    return [
      ...Map.groupBy(refused, ({ destination, workloadPort }) => policiesOf(destination).mutualTls(workloadPort).by),
    ].map(([by, calls]) => {
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
