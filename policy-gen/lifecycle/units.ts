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
  /** `namespace/workload`, as replay names the callees that it is about. */
  destinations: string[]
}

/** A name that telemetry chose must not read as another callee's. */
const part = (text: string) => encodeURIComponent(text.toWellFormed()).replaceAll('*', '%2A')

/** `cluster/namespace/workload`, without a cluster where none is known. */
function unitName(cluster: string, namespace: string, workload: string): string {
  return [...(cluster === '' ? [] : [cluster]), namespace]
    .map(part)
    .concat(workload === ALL ? ALL : part(workload))
    .join('/')
}

const ALL = '*'

/** Takes a proposal apart into what is approved by itself. */
export function unitsOf(
  permissions: readonly Permission[],
  inventory: Inventory,
  target: Target,
  window: DraftContent['window'],
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
  const named = Map.groupBy(permissions, ({ callee }) => unitName(callee.cluster, callee.namespace, callee.workload))
  const around = Map.groupBy(target.perNamespace ? permissions : [], ({ callee }) =>
    unitName(callee.cluster, callee.namespace, ALL),
  )
  return [...named, ...around]
    .flatMap(([callee, own]) => unit(callee, own))
    .sort((a, b) => (a.callee < b.callee ? -1 : 1))
}

/** The files of a unit, with its evidence. */
export function filesOf({ callee, permissions, window }: Omit<DraftContent, 'digest'>, target: Target): PolicyFile[] {
  const isNamespace = callee.endsWith(`/${ALL}`)
  return target
    .render(permissions, window)
    .files.filter(({ path }) => (target.perNamespace?.test(path) ?? false) === isNamespace)
}

/**
 * The digest of what a unit says: its permissions, and its files as the target writes them without any evidence, so that
 * another day's counts leave an approval as it is, and a renderer that writes something else does not.
 */
export function digestOf(content: Omit<DraftContent, 'digest'>, target: Target): string {
  const { callee } = content
  const neutral = content.permissions.map(withoutEvidence)
  const files = filesOf({ ...content, permissions: neutral, window: { since: '', until: '' } }, target)
  const says = callee.endsWith(`/${ALL}`)
    ? []
    : neutral.map(({ callee: { members: _, ...rest }, ...one }) => ({ ...one, callee: rest }))
  return sha256({ target: target.id, callee, files, permissions: says })
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
