import type { Callee, Permission } from '../../../services/model/permission.ts'
import { casesOf } from '../../grants/cases.ts'
import { evidenceLines, type Window } from '../../grants/comments.ts'
import { grantsOf } from '../../grants/grants.ts'
import { fileNames, kubernetesName } from '../../grants/names.ts'
import { rulesOf } from '../../grants/rules.ts'
import { yamlOf } from '../../grants/yaml.ts'
import type { PolicyFile, Rendered } from '../target.ts'
import { dialect } from './dialect.ts'
import { namespaceGuard } from './guard.ts'
import { allowPolicies, defaultDeny, peerAuthentication, ROOT_NAMESPACE } from './resources.ts'
import { requestAuthentication } from './tokens.ts'

/**
 * Renders permissions as Istio resources in the order in which they are safe to apply: whose tokens are verified, what is allowed, then mutual
 * TLS, then the default, then what nobody may allow later. With callees in several clusters, each cluster has a directory of its own.
 */
export function render(permissions: readonly Permission[], window: Window): Rendered {
  const { callees, loss } = grantsOf(permissions, dialect)
  const clusters = new Set(callees.map(({ callee }) => callee.cluster))
  const around = Map.groupBy(callees, ({ callee }) => placeOf(callee))
  const names = fileNames(callees.map(({ callee }) => callee))
  const files = new Map<string, PolicyFile>()
  for (const entry of callees) {
    const { callee, grants } = entry
    const directory = clusters.size > 1 ? `${kubernetesName(callee.cluster)}/` : ''
    const clustered = clusters.size > 1 || callee.cluster !== ''
    const { file, workload } = names.get(callee) ?? { file: '', workload: '' }
    const add = (path: string, documents: unknown[], comment: string[] = []): void => {
      const full = `${directory}${path}`
      if (documents.length > 0) files.set(full, { path: full, content: yamlOf(documents, comment) })
    }
    const rules = rulesOf(grants)
    const tokens = requestAuthentication(entry, `cinch-tokens-${workload}`, clustered)
    if (tokens) {
      add(`0-tokens/${file}.yaml`, [tokens.resource])
      loss.push(tokens.loss)
    }
    const policies = allowPolicies(callee, `cinch-allow-${workload}`, rules, clustered)
    add(`1-allow/${file}.yaml`, policies, evidenceLines(entry, window))
    add(`2-mtls/${file}.yaml`, [peerAuthentication(callee, `cinch-mtls-${workload}`, clustered)])
    // There, "allow nothing" would be said to the whole mesh; the callee's own ALLOW policy closes it as well.
    if (callee.namespace === ROOT_NAMESPACE) continue
    add(`3-default-deny/${callee.namespace}.yaml`, [defaultDeny(callee, clustered)])
    add(`4-guard/${callee.namespace}.yaml`, namespaceGuard(around.get(placeOf(callee)) ?? [], clustered))
  }
  const sorted = [...files.values()].sort((left, right) => (left.path < right.path ? -1 : 1))
  return { files: sorted, loss, cases: casesOf(callees) }
}

function placeOf({ cluster, namespace }: Callee): string {
  return JSON.stringify([cluster, namespace])
}
