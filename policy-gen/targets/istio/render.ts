import type { EgressNamespace } from '../../../services/model/egress.ts'
import type { Callee, Permission } from '../../../services/model/permission.ts'
import { evidenceLines, type Window } from '../../grants/comments.ts'
import { type CalleeGrants, grantsOf } from '../../grants/grants.ts'
import { fileNames, kubernetesName } from '../../grants/names.ts'
import { rulesOf } from '../../grants/rules.ts'
import { yamlOf } from '../../grants/yaml.ts'
import type { Loss, PolicyFile, Rendered } from '../target.ts'
import { distinctCases, waypointCases, ztunnelCases } from './cases.ts'
import { dialect } from './dialect.ts'
import { egressFiles, egressLoss } from './egress.ts'
import { namespaceGuard } from './guard.ts'
import { allowPolicies, defaultDeny, peerAuthentication, ROOT_NAMESPACE } from './resources.ts'
import { requestAuthentication } from './tokens.ts'
import { behindWaypoint, sharedServices, toServices, toWaypoint, waypointOf, waypointPolicies } from './waypoint.ts'
import { placeOf, waysOf } from './ways.ts'

/** What is enforced at a callee itself (its sidecar or ztunnel), and what at the waypoint in front of it. */
interface Enforced {
  callee: Callee
  direct?: CalleeGrants
  through?: CalleeGrants
}

interface Document {
  path: string
  documents: unknown[]
  comment?: string[]
}

/**
 * Renders permissions as Istio resources in the order in which they are safe to apply: waypoints, whose tokens are verified, what is
 * allowed, then mutual TLS, then the default, then what nobody may allow later. With callees in several clusters, each cluster has a
 * directory of its own.
 */
export function render(
  permissions: readonly Permission[],
  window: Window,
  egress: readonly EgressNamespace[] = [],
): Rendered {
  const ways = waysOf(permissions)
  const direct = grantsOf([...ways.sidecar, ...ways.ztunnel], dialect)
  const through = grantsOf(ways.waypoint, dialect)
  const loss = [
    ...ways.loss,
    ...direct.loss,
    ...through.loss,
    ...sharedServices(through.callees),
    ...egress.flatMap(egressLoss),
  ]
  const callees = enforced(direct.callees, through.callees)
  const clusters = new Set([...callees.map(({ callee }) => callee), ...egress].map(({ cluster }) => cluster))
  const names = fileNames(callees.map(({ callee }) => callee))
  const files = new Map<string, PolicyFile>()
  const write = (cluster: string, list: Document[]): void => {
    const directory = clusters.size > 1 ? `${kubernetesName(cluster)}/` : ''
    for (const { path, documents, comment = [] } of list) {
      const full = `${directory}${path}`
      if (documents.length > 0) files.set(full, { path: full, content: yamlOf(documents, comment) })
    }
  }
  for (const entry of callees) {
    const clustered = clusters.size > 1 || entry.callee.cluster !== ''
    const name = names.get(entry.callee) ?? { file: '', workload: '' }
    write(entry.callee.cluster, calleeFiles(entry, name, clustered, window, loss))
  }
  for (const group of Map.groupBy(callees, ({ callee }) => placeOf(callee)).values()) {
    const { cluster } = group[0]?.callee ?? { cluster: '' }
    write(cluster, namespaceFiles(group, clusters.size > 1 || cluster !== ''))
  }
  for (const one of egress) write(one.cluster, egressFiles(one, clusters.size > 1 || one.cluster !== '', window))
  const sorted = [...files.values()].sort((left, right) => (left.path < right.path ? -1 : 1))
  const cases = distinctCases([...ztunnelCases(direct.callees), ...waypointCases(through.callees)])
  return { files: sorted, loss: distinct(loss), cases }
}

function enforced(direct: readonly CalleeGrants[], through: readonly CalleeGrants[]): Enforced[] {
  const found = new Map<string, Enforced>()
  const add = (entry: CalleeGrants, way: 'direct' | 'through') => {
    const { cluster, namespace, workload, selector } = entry.callee
    const key = JSON.stringify([cluster, namespace, workload, selector])
    found.set(key, { callee: entry.callee, ...found.get(key), [way]: entry })
  }
  for (const entry of direct) add(entry, 'direct')
  for (const entry of through) add(entry, 'through')
  return [...found.values()]
}

function calleeFiles(
  { callee, direct, through }: Enforced,
  { file, workload }: { file: string; workload: string },
  clustered: boolean,
  window: Window,
  loss: Loss[],
): Document[] {
  const allowed = through ?? direct
  if (!allowed) return []
  const services = through ? toServices(callee.ambient?.services ?? []) : undefined
  const tokens = requestAuthentication(allowed, `cinch-tokens-${workload}`, clustered, services)
  if (tokens) loss.push(tokens.loss)
  const name = `cinch-allow-${workload}`
  const rules = rulesOf(allowed.grants)
  const policies = through
    ? waypointPolicies(callee, name, rules, clustered)
    : allowPolicies(callee, name, rules, clustered)
  const atZtunnel = through ? rulesOf(behindWaypoint(through, direct)) : []
  return [
    { path: `0-tokens/${file}.yaml`, documents: tokens ? [tokens.resource] : [] },
    { path: `1-allow/${file}.yaml`, documents: policies, comment: evidenceLines(allowed, window) },
    { path: `2-mtls/${file}.yaml`, documents: [peerAuthentication(callee, `cinch-mtls-${workload}`, clustered)] },
    {
      path: `2-ztunnel/${file}.yaml`,
      documents: allowPolicies(callee, `cinch-ztunnel-${workload}`, atZtunnel, clustered),
      comment: direct ? evidenceLines(direct, window) : [],
    },
  ]
}

/** What holds in a namespace, beside its callees. */
function namespaceFiles(group: readonly Enforced[], clustered: boolean): Document[] {
  const { callee } = group[0] ?? {}
  if (!callee) return []
  const direct = group.flatMap((entry) => entry.direct ?? [])
  const through = group.flatMap((entry) => entry.through ?? [])
  const about = { clustered, plaintext: group.some((one) => one.callee.plaintextRequests > 0) }
  const file = `${callee.namespace}.yaml`
  const waypoint = { path: `0-waypoint/${file}`, documents: through.length > 0 ? waypointOf(callee, clustered) : [] }
  const atWaypoint = <T>(document: T): T[] => (through.length > 0 ? [document] : [])
  // There, "allow nothing" would be said to the whole mesh; the callee's own ALLOW policy closes it as well.
  if (callee.namespace === ROOT_NAMESPACE) return [waypoint]
  return [
    waypoint,
    {
      path: `3-default-deny/${file}`,
      documents: [defaultDeny(callee, clustered), ...atWaypoint(defaultDeny(callee, clustered, toWaypoint))],
    },
    {
      path: `4-guard/${file}`,
      documents: [
        namespaceGuard(callee, direct, about),
        ...atWaypoint(namespaceGuard(callee, through, about, toWaypoint)),
      ],
    },
  ]
}

function distinct(loss: readonly Loss[]): Loss[] {
  return [...new Map(loss.map((entry) => [JSON.stringify(entry), entry])).values()]
}
