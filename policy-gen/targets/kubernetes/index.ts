import type { Target } from '../target.ts'
import { render } from './render.ts'

export const kubernetes: Target = {
  id: 'kubernetes',
  title: 'Kubernetes NetworkPolicy and ClusterNetworkPolicy (the network tier, beside identity policies)',
  limits: [
    'it sees pods and ports only: identities, methods and paths are all let in between them',
    'the callers are selected by the labels of their pods; whoever may label a pod may be let in',
    'callers in another cluster or outside of clusters cannot be selected',
    'only what comes in is restricted; only TCP is opened',
    'in an ambient mesh, port 15008 must be opened beside the ports that are written',
  ],
  perNamespace: /(^|\/)2-default-deny\//,
  render,
}
