import type { Workload } from '../services/model/inventory.ts'
import { selects } from '../services/model/inventory.ts'
import type { InventoryIndex } from './inventory-index.ts'

/** Labels that tell versions or single rollouts of one application apart. */
const VERSION_LABELS = new Set([
  'version',
  'app.kubernetes.io/version',
  'helm.sh/chart',
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'service.istio.io/canonical-revision',
  'rollouts-pod-template-hash',
])

/** Labels by which people name an application; the first set that a workload has decides what "the same" means. */
const APPLICATION_LABELS = [
  ['app.kubernetes.io/instance', 'app.kubernetes.io/name'],
  ['app.kubernetes.io/name'],
  ['app'],
  ['k8s-app'],
  ['service.istio.io/canonical-name'],
  ['name'],
] as const

/**
 * The labels by which a policy selects `workload`'s pods: those of its Service where they do, else the application's,
 * never the version's, so that a new version is protected from its first second. A candidate that would also select
 * another application's pods is passed over: the rules would be granted there too.
 *
 * @returns null when even all labels together select another application
 */
export function selectorOf(workload: Workload, index: InventoryIndex): Record<string, string> | null {
  const neighbours = index.workloadsIn(workload.cluster, workload.namespace)
  const candidates = [
    ...index.servicesOf(workload).map((service) => withoutVersions(service.selector)),
    applicationLabels(workload),
    withoutVersions(workload.labels),
    workload.labels,
  ]
  const fits = (selector: Record<string, string>): boolean =>
    Object.keys(selector).length > 0 &&
    neighbours.every((other) => !selects(selector, other.labels) || sameApplication(workload, other))
  return candidates.find(fits) ?? null
}

/** The application's name as its labels say it, empty when they do not. */
export function applicationName(selector: Record<string, string>): string {
  const names = ['app.kubernetes.io/name', 'app', 'k8s-app', 'service.istio.io/canonical-name', 'name']
  return names.map((name) => selector[name]).find((value) => value !== undefined && value !== '') ?? ''
}

function applicationLabels(workload: Workload): Record<string, string> {
  const keys = APPLICATION_LABELS.find((set) => set.every((key) => workload.labels[key]))
  return Object.fromEntries((keys ?? []).map((key) => [key, workload.labels[key] ?? '']))
}

function sameApplication(left: Workload, right: Workload): boolean {
  if (left.name === right.name) return true
  const application = applicationLabels(left)
  return Object.keys(application).length > 0
    ? selects(application, right.labels)
    : sameEntries(withoutVersions(left.labels), withoutVersions(right.labels))
}

function withoutVersions(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !VERSION_LABELS.has(key)))
}

function sameEntries(left: Record<string, string>, right: Record<string, string>): boolean {
  return selects(left, right) && selects(right, left)
}
