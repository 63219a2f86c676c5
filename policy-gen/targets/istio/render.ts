import type { Callee, Permission } from '../../../services/model/permission.ts'
import type { PolicyFile, Rendered } from '../target.ts'
import { casesOf } from './cases.ts'
import { type CalleeGrants, grantsOf } from './grants.ts'
import { digest, kubernetesName } from './names.ts'
import { allowPolicies, defaultDeny, peerAuthentication, ROOT_NAMESPACE, yamlOf } from './resources.ts'
import { rulesOf } from './rules.ts'

/**
 * Renders permissions as Istio resources in the order in which they are safe to apply: what is allowed, then mutual
 * TLS, then the default. With callees in several clusters, each cluster has a directory of its own.
 */
export function render(permissions: readonly Permission[]): Rendered {
  const { callees, loss } = grantsOf(permissions)
  const clusters = new Set(callees.map(({ callee }) => callee.cluster))
  const names = fileNames(callees)
  const files = new Map<string, PolicyFile>()
  for (const { callee, grants } of callees) {
    const directory = clusters.size > 1 ? `${kubernetesName(callee.cluster)}/` : ''
    const clustered = clusters.size > 1 || callee.cluster !== ''
    const { file, workload } = names.get(callee) ?? { file: '', workload: '' }
    const add = (path: string, documents: unknown[]): void => {
      const full = `${directory}${path}`
      if (documents.length > 0) files.set(full, { path: full, content: yamlOf(documents) })
    }
    add(`1-allow/${file}.yaml`, allowPolicies(callee, `cinch-allow-${workload}`, rulesOf(grants), clustered))
    add(`2-mtls/${file}.yaml`, [peerAuthentication(callee, `cinch-mtls-${workload}`, clustered)])
    // There, "allow nothing" would be said to the whole mesh; the callee's own ALLOW policy closes it as well.
    if (callee.namespace === ROOT_NAMESPACE) continue
    add(`3-default-deny/${callee.namespace}.yaml`, [defaultDeny(callee, clustered)])
  }
  const sorted = [...files.values()].sort((left, right) => (left.path < right.path ? -1 : 1))
  return { files: sorted, loss, cases: casesOf(callees) }
}

// Two callees of one name in one namespace differ in their selectors only; both then carry a digest of it.
function fileNames(callees: CalleeGrants[]): Map<Callee, { file: string; workload: string }> {
  const taken = Map.groupBy(callees, ({ callee }) =>
    JSON.stringify([callee.cluster, callee.namespace, callee.workload]),
  )
  const names = new Map<Callee, { file: string; workload: string }>()
  for (const group of taken.values()) {
    for (const { callee } of group) {
      const mark = group.length > 1 ? `-${digest(JSON.stringify(callee.selector))}` : ''
      const workload = `${kubernetesName(callee.workload)}${mark}`
      names.set(callee, { file: `${callee.namespace}.${workload}`, workload })
    }
  }
  return names
}
