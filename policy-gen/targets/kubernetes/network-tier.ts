import type { Callee, Permission } from '../../../services/model/permission.ts'
import { quoted, type Window } from '../../grants/comments.ts'
import { calleeName } from '../../grants/loss.ts'
import type { Opening } from './peers.ts'

export const NETWORK_TIER_FILE = 'network-tier.txt'

/** Of each line; the report has all. */
const RULES_SHOWN_MAX = 5

/**
 * The coarse tier as lines of a firewall, in the form of NIST SP 800-207A, and below each what the identity tier must hold
 * before the line may be as wide as it is: without those rules, everything of the caller's pods on the port is open.
 */
export function networkTier(openings: ReadonlyMap<Callee, readonly Opening[]>, window: Window): string {
  const lines = [...openings].flatMap(([callee, list]) => {
    const byLine = Map.groupBy(list, (opening) => lineOf(callee, opening))
    return [...byLine].map(([line, same]) => [line, ...identityRules(same.map(({ permission }) => permission))])
  })
  const head = `# observed from ${window.since} to ${window.until}`
  return `${[[head], ...lines.sort(([left = ''], [right = '']) => (left < right ? -1 : 1))].flat().join('\n')}\n`
}

function lineOf(callee: Callee, { workload, peer, port }: Opening): string {
  const { cluster, namespace, workload: name } = workload
  const all = peer.selector === null ? `${namespace}/*` : `${namespace}/${name}`
  const from = cluster === '' ? all : `${cluster}/${all}`
  return `allow ${quoted(from)} any to ${quoted(calleeName(callee))}:${port === 0 ? 'any' : port}`
}

function identityRules(permissions: readonly Permission[]): string[] {
  const rules = permissions.map(({ caller, operation: { method, path } }) => {
    const what = method === '' && path === '' ? 'anything' : `${method || 'any method'} ${quoted(path || 'any path')}`
    return `#   relies on: ${quoted(caller.principal)} may ${what}`
  })
  const distinct = [...new Set(rules)].sort()
  const more = distinct.length - RULES_SHOWN_MAX
  return [...distinct.slice(0, RULES_SHOWN_MAX), ...(more > 0 ? [`#   and ${more} more`] : [])]
}
