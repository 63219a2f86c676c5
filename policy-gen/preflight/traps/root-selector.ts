import { ROOT_NAMESPACE } from '../../replay/istio/callee.ts'
import { policyName, requestsOf, type Trap } from '../ground.ts'

/** An ALLOW policy of the root namespace without a selector holds for every workload of the mesh. */
export const rootSelector: Trap = {
  id: 'root_selector',
  title: 'an ALLOW policy without a selector in the root namespace denies the rest of the mesh',
  find: ({ authorization, operations }) =>
    authorization
      .filter(({ namespace, action, targets, selector, rules }) => {
        const all = selector === undefined || Object.keys(selector).length === 0
        const open = rules.some(({ from, to, when }) => from.length + to.length + when.length === 0)
        return namespace === ROOT_NAMESPACE && action === 'ALLOW' && targets.length === 0 && all && !open
      })
      .map((policy) => ({
        harm: 'breaks',
        file: policy.file,
        object: policyName(policy),
        what: `it selects every workload of every namespace, and allows ${policy.rules.length === 0 ? 'nothing' : 'only what its rules say'}`,
        fix: 'put it into the namespace that it is meant for, or give it a selector; as a mesh-wide default deny it comes last, when every callee has its allows',
        requests: requestsOf(operations),
      })),
}
