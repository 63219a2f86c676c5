import type { Workload } from '../../../services/model/inventory.ts'
import { ROOT_NAMESPACE } from '../../replay/istio/callee.ts'
import type { AuthorizationPolicy } from '../../replay/istio/read-authorization.ts'
import { policyName, selected, type Trap } from '../ground.ts'

const hasSelector = ({ selector, namespace }: AuthorizationPolicy) =>
  Object.keys(selector ?? {}).length > 0 && namespace !== ROOT_NAMESPACE

/** A selector of which the inventory knows no workload protects nothing. */
export const selectorOfNothing: Trap = {
  id: 'selector_of_nothing',
  title: 'a selector that matches no workload',
  find: ({ authorization, inventory }) =>
    authorization
      .filter(
        (policy) => hasSelector(policy) && inventory.workloads.some(({ namespace }) => namespace === policy.namespace),
      )
      .filter((policy) => selected(inventory, policy, policy.selector).length === 0)
      .map((policy) => ({
        harm: 'ignored',
        file: policy.file,
        object: policyName(policy),
        what: `no workload of ${policy.namespace} has the labels ${labelText(policy)}`,
        fix: 'take the labels of the Pod template, not those of the Deployment or the Service',
      })),
}

/** An allow for one application that selects several denies the others what it does not list. */
export const selectorOfMore: Trap = {
  id: 'selector_of_more',
  title: 'a selector that matches several applications',
  find: ({ authorization, inventory }) =>
    authorization
      .filter((policy) => hasSelector(policy) && policy.action === 'ALLOW')
      .flatMap((policy) => {
        const names = [...new Set(selected(inventory, policy, policy.selector).map(applicationOf))].sort()
        if (names.length < 2) return []
        return [
          {
            harm: 'breaks' as const,
            file: policy.file,
            object: policyName(policy),
            what: `${labelText(policy)} selects ${names.join(', ')}: each of them is denied what the rules do not list, and allowed what they list for another`,
            fix: 'add a label that only one application has, and write a policy for each',
          },
        ]
      }),
}

const APPLICATION_LABELS = ['app.kubernetes.io/name', 'app', 'k8s-app']

// Versions of an application share its name; workloads without one are told apart by their own.
function applicationOf({ labels, name }: Workload): string {
  return APPLICATION_LABELS.map((label) => labels[label]).find((value) => value !== undefined) ?? name
}

function labelText({ selector }: AuthorizationPolicy): string {
  return Object.entries(selector ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
