import type { Permission } from '../../../services/model/permission.ts'
import { casesOf } from '../../grants/cases.ts'
import { verificationLoss } from '../../grants/claims.ts'
import { evidenceLines, type Window } from '../../grants/comments.ts'
import { grantsOf } from '../../grants/grants.ts'
import { fileNames, kubernetesName } from '../../grants/names.ts'
import { yamlOf } from '../../grants/yaml.ts'
import type { PolicyFile, Rendered } from '../target.ts'
import { dialect } from './dialect.ts'
import { connectionGrants, type Delivery, headOf, httpFilter, networkFilter } from './filters.ts'

const VERIFIER =
  'the filter envoy.filters.http.jwt_authn has to stand before this one, with payload_in_metadata "payload", and verify tokens'

/** The order in which they are safe to deliver. */
const DIRECTORIES: [Delivery, string][] = [
  ['shadow', '1-shadow'],
  ['enforce', '2-enforce'],
]

/**
 * Renders permissions as RBAC filters, a file for each callee, twice: as shadow rules to be watched, then enforced. With
 * callees in several clusters, each cluster has a directory of its own.
 */
export function render(permissions: readonly Permission[], window: Window): Rendered {
  const { callees, loss } = grantsOf(permissions, dialect)
  const clusters = new Set(callees.map(({ callee }) => callee.cluster))
  const names = fileNames(callees.map(({ callee }) => callee))
  const files = callees.flatMap((entry): PolicyFile[] => {
    const { callee, grants } = entry
    const directory = clusters.size > 1 ? `${kubernetesName(callee.cluster)}/` : ''
    const clustered = clusters.size > 1 || callee.cluster !== ''
    const comment = evidenceLines(entry, window)
    const connections = connectionGrants(grants)
    return DIRECTORIES.map(([delivery, name]) => {
      const documents = [headOf(callee, clustered), httpFilter(grants, delivery)]
      if (connections) {
        documents.push(headOf(callee, clustered, connections.ports), networkFilter(connections.grants, delivery))
      }
      return { path: `${directory}${name}/${names.get(callee)?.file}.yaml`, content: yamlOf(documents, comment) }
    })
  })
  const sorted = files.sort((left, right) => (left.path < right.path ? -1 : 1))
  return { files: sorted, loss: [...loss, ...verificationLoss(callees, VERIFIER)], cases: casesOf(callees) }
}
