import type { PathFlag } from '../../../services/model/operation.ts'
import type { Callee, Permission } from '../../../services/model/permission.ts'
import { calleeIds } from '../../grants/callee-ids.ts'
import { casesOf } from '../../grants/cases.ts'
import { claimOf, isClaimValue, verificationLoss } from '../../grants/claims.ts'
import { evidenceLines, type Window } from '../../grants/comments.ts'
import { type CalleeGrants, type Dialect, grantsOf } from '../../grants/grants.ts'
import { type WrittenPath, writablePath } from '../../grants/pattern.ts'
import { type Grant, type Rule, rulesOf } from '../../grants/rules.ts'
import type { Segment } from '../../observed-path.ts'
import type { Rendered } from '../target.ts'
import { POLICY, POLICY_TEST } from './policy.ts'

/** One policy and its tests, the same for all; and what is granted, with its evidence, as their data. */
export function render(permissions: readonly Permission[], window: Window): Rendered {
  const { callees, loss } = grantsOf(permissions, dialect)
  const ids = calleeIds(callees.map(({ callee }) => callee))
  const entries = callees.map((entry): [string, unknown] => [ids.get(entry.callee) ?? '', dataOf(entry, window)])
  const data = { cinch: { callees: Object.fromEntries(entries.sort(byText)) } }
  const files = [
    { path: 'data.json', content: `${JSON.stringify(data, null, 2)}\n` },
    { path: 'policy.rego', content: POLICY },
    { path: 'policy_test.rego', content: POLICY_TEST },
  ]
  return { files, loss: [...loss, ...verificationLoss(callees, VERIFIER)], cases: casesOf(callees) }
}

const VERIFIER =
  'the filter envoy.filters.http.jwt_authn has to stand before ext_authz, whose metadata_context_namespaces names it, with payload_in_metadata "payload", and verify tokens'

const dialect: Dialect = {
  path: regoPath,
  method: () => true,
  condition: (condition) => claimOf(condition) !== null && condition.values.every(isClaimValue),
  callee: () => [],
}

function regoPath(path: string, flags: readonly PathFlag[]): WrittenPath {
  const observed = writablePath(path, flags)
  if ('as' in observed) return observed
  if (observed.literal) return { as: 'written', value: observed.text }
  const value = `/${observed.segments.map(patternOf).join('/')}`
  if (!observed.segments.every((segment) => segment.kind !== 'opaque' || isSimple(segment))) {
    const detail = `a segment has more than one parameter, or is not understood; ${value} allows any value of it`
    return { as: 'widened', value, kind: 'mixed_segment', detail }
  }
  if (observed.segments.at(-1)?.kind === 'tail') {
    const detail = `${value} matches paths of every depth below it; its values were seen in several`
    return { as: 'noted', value, kind: 'template_tail', detail }
  }
  return { as: 'written', value }
}

function patternOf(segment: Segment): string {
  if (segment.kind === 'literal') return segment.text
  if (segment.kind === 'tail') return '{**}'
  return segment.kind === 'opaque' && isSimple(segment) ? (segment.parts ?? []).join('{*}') : '{*}'
}

function isSimple({ parts }: Extract<Segment, { kind: 'opaque' }>): boolean {
  return parts?.length === 2
}

function dataOf(entry: CalleeGrants, window: Window) {
  const { cluster, namespace, workload, selector }: Callee = entry.callee
  const callers = [...entry.grants]
    .sort(byText)
    .map(([principal, grants]) => [principal, productsOf(principal, grants)])
  return {
    evidence: evidenceLines(entry, window),
    cluster: cluster.toWellFormed(),
    namespace,
    workload: workload.toWellFormed(),
    selector,
    callers: Object.fromEntries(callers),
  }
}

function productsOf(principal: string, grants: readonly Grant[]) {
  return rulesOf(new Map([[principal, grants]])).flatMap(grantsOfRule)
}

// What is not named is any: an empty list would match nothing.
function grantsOfRule({ to, when }: Rule) {
  const claims = Object.fromEntries(when.map((condition) => [claimOf(condition) ?? '', condition.values]))
  return to.map(({ ports, methods, paths, notPaths }) => ({
    ...(ports.length > 0 ? { ports } : {}),
    ...(methods.length > 0 ? { methods } : {}),
    ...(paths.length > 0 ? { paths } : {}),
    ...(notPaths.length > 0 ? { not_paths: notPaths } : {}),
    ...(when.length > 0 ? { claims } : {}),
  }))
}

function byText([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : left > right ? 1 : 0
}
