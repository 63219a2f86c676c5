/** Says of a namespace or a Pod which data plane it is in: `ambient`, or anything else for none (Istio's `label.go`). */
const DATA_PLANE = 'istio.io/dataplane-mode'
/** A sidecar that is asked for stands beside a Pod in an ambient namespace, too. */
const INJECT = 'sidecar.istio.io/inject'

/** What labels say of the data plane; null where they say nothing. */
export function labelledAmbient(labels: Readonly<Record<string, unknown>>): boolean | null {
  if (labels[INJECT] === 'true') return false
  const mode = labels[DATA_PLANE]
  return mode === undefined ? null : mode === 'ambient'
}

/** Whether a namespace is among those that were said to be in ambient mode; `*` is all of them. */
export function isAmong(namespaces: readonly string[], namespace: string): boolean {
  return namespaces.includes('*') || namespaces.includes(namespace)
}
