import type { EgressNamespace } from '../../services/model/egress.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import type { DraftContent } from '../../services/model/lifecycle.ts'
import type { Callee, Permission } from '../../services/model/permission.ts'
import { UNSEEN } from '../declared/operations.ts'
import { indexInventory } from '../inventory-index.ts'
import type { PolicyFile, Target } from '../targets/target.ts'
import { canonical, sha256 } from './canonical.ts'

/** What one approval is about: a callee's own policies, or those that hold for a whole namespace. */
export interface Unit extends DraftContent {
  /** Of its workloads, as the inventory declares them. */
  owners: string[]
  /** `namespace/workload` or `external:host`, as replay names the callees that it is about. */
  destinations: string[]
  /** The only namespace whose calls it is about; absent, everybody's. */
  from?: string
}

/** A name that telemetry chose must not read as another callee's. */
const part = (text: string) => encodeURIComponent(text.toWellFormed()).replaceAll('*', '%2A')

/**
 * `cluster/namespace/workload`, without a cluster where none is known.
 * @param last a workload's `part`, or what no workload is called
 */
function unitName({ cluster, namespace }: Pick<Callee, 'cluster' | 'namespace'>, last: string): string {
  return [...(cluster === '' ? [] : [cluster]), namespace].map(part).concat(last).join('/')
}

const ALL = '*'
/** No workload is written so: a star in a name is encoded. */
const EGRESS = '*egress'

/** True for what holds around callees and is none of them: a namespace's default, and what may leave it. */
export function isAround(callee: string): boolean {
  return [ALL, EGRESS].some((name) => callee.endsWith(`/${name}`))
}

/** Takes a proposal apart into what is approved by itself. */
export function unitsOf(
  permissions: readonly Permission[],
  inventory: Inventory,
  target: Target,
  window: DraftContent['window'],
  egress: readonly EgressNamespace[] = [],
): Unit[] {
  const index = indexInventory(inventory)
  const ownersOf = (callees: readonly Callee[]) => {
    const members = callees.flatMap(({ cluster, namespace, members: names }) =>
      names.flatMap((workload) => index.behind({ cluster, namespace, workload }).map(({ owner }) => owner)),
    )
    return [...new Set(members)].filter((owner) => owner !== '').sort()
  }
  const unit = (callee: string, own: Permission[]): Unit[] => {
    const content = { target: target.id, callee, window, permissions: own }
    if (filesOf(content, target).length === 0) return []
    const callees = [...new Map(own.map((one) => [canonical(one.callee), one.callee])).values()]
    const destinations = callees.flatMap(({ namespace, members }) => members.map((member) => `${namespace}/${member}`))
    return [{ ...content, digest: digestOf(content, target), owners: ownersOf(callees), destinations }]
  }
  const named = Map.groupBy(permissions, ({ callee }) => unitName(callee, part(callee.workload)))
  const around = Map.groupBy(target.perNamespace ? permissions : [], ({ callee }) => unitName(callee, ALL))
  const outward = (one: EgressNamespace): Unit[] => {
    const { cluster, namespace, uses, refused } = one
    const callee = unitName(one, EGRESS)
    const content = { target: target.id, callee, window, permissions: [], egress: one }
    if (filesOf(content, target).length === 0) return []
    const all = [...uses, ...refused.map(({ use }) => use)]
    const callers = all.flatMap((use) => use.callers.map((workload) => ({ cluster, namespace, workload })))
    const within = inventory.workloads.filter((one) => one.namespace === namespace)
    const concerned = callers.length > 0 ? callers.flatMap((caller) => index.behind(caller)) : within
    const owners = concerned.map(({ owner }) => owner)
    return [
      {
        ...content,
        digest: digestOf(content, target),
        owners: [...new Set(owners)].filter((owner) => owner !== '').sort(),
        destinations: [...new Set(all.map(({ host }) => `external:${host}`))],
        from: namespace,
      },
    ]
  }
  return [
    ...[...named, ...around].flatMap(([callee, own]) => unit(callee, own)),
    ...(target.writesEgress ? egress.flatMap(outward) : []),
  ].sort((a, b) => (a.callee < b.callee ? -1 : 1))
}

/** The files of a unit, with its evidence. */
export function filesOf(
  { callee, permissions, window, egress }: Omit<DraftContent, 'digest'>,
  target: Target,
): PolicyFile[] {
  const isNamespace = callee.endsWith(`/${ALL}`)
  return target
    .render(permissions, window, egress ? [egress] : [])
    .files.filter(({ path }) => (target.perNamespace?.test(path) ?? false) === isNamespace)
}

/**
 * The digest of what a unit says: its permissions, and its files as the target writes them without any evidence, so that
 * another day's counts leave an approval as it is, and a renderer that writes something else does not.
 */
export function digestOf(content: Omit<DraftContent, 'digest'>, target: Target): string {
  const { callee } = content
  const neutral = content.permissions.map(withoutEvidence)
  const egress = content.egress && withoutCounts(content.egress)
  const about = { window: { since: '', until: '' }, ...(egress ? { egress } : {}) }
  const files = filesOf({ ...content, permissions: neutral, ...about }, target)
  const says = callee.endsWith(`/${ALL}`)
    ? []
    : neutral.map(({ callee: { members: _, ...rest }, ...one }) => ({ ...one, callee: rest }))
  return sha256({ target: target.id, callee, files, permissions: says, ...(egress ? { egress } : {}) })
}

// What could not be written is no part of what is approved.
function withoutCounts(egress: EgressNamespace): EgressNamespace {
  const uses = egress.uses.map((use) => ({ ...use, requests: 0, days: 0, firstSeen: '', lastSeen: '' }))
  return { ...egress, uses, refused: [], ...(egress.quietDays === undefined ? {} : { quietDays: 0 }) }
}

function withoutEvidence(permission: Permission): Permission {
  const { callee, caller } = permission
  return {
    ...permission,
    callee: { ...callee, plaintextRequests: callee.plaintextRequests > 0 ? 1 : 0, mutualTlsSeen: false },
    caller: { ...caller, workloads: [...caller.workloads].sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1)) },
    evidence: UNSEEN,
  }
}
