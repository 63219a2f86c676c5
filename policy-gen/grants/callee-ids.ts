import type { Callee } from '../../services/model/permission.ts'
import { digest } from './names.ts'

/**
 * An id for each callee: `cluster/namespace/workload`, the cluster only where it is known, the parts encoded as in a URI.
 * Two of one name differ in their selectors only; both then carry a digest of it.
 */
export function calleeIds(callees: readonly Callee[]): Map<Callee, string> {
  const named = Map.groupBy(callees, nameOf)
  const ids = [...named].flatMap(([name, group]) =>
    group.map((callee): [Callee, string] => {
      const mark = group.length > 1 ? `#${digest(JSON.stringify(callee.selector))}` : ''
      return [callee, `${name}${mark}`]
    }),
  )
  return new Map(ids)
}

function nameOf({ cluster, namespace, workload }: Callee): string {
  const parts = cluster === '' ? [namespace, workload] : [cluster, namespace, workload]
  return parts.map((part) => encodeURIComponent(part.toWellFormed())).join('/')
}
