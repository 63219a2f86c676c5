import type { Inventory, Pod } from '../services/model/inventory.ts'
import { commonMarks, countMarks, joinMarks, marksWithout } from '../services/model/marks.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import type { CallerWorkload, ReplicaEvidence } from '../services/model/permission.ts'
import { type InventoryIndex, sameCluster } from './inventory-index.ts'

/** Images that a permission's evidence lists. */
export const IMAGES_MAX = 20

/** Who used something, with which replicas, and when. */
export interface Use {
  principal: string
  workloads: readonly Pick<CallerWorkload, 'cluster' | 'namespace' | 'workload'>[]
  /** See `model/marks.ts`. */
  marks: string
  /** ISO 8601, UTC. */
  firstSeen: string
  lastSeen: string
}

/** How many of the caller's replicas a use came from; undefined where nobody ever told of one. */
export type ReplicasOf = (use: Use) => ReplicaEvidence | undefined

export function replicasOf(
  operations: readonly ObservedOperation[],
  inventory: Inventory,
  index: InventoryIndex,
): ReplicasOf {
  const seen = new Map<string, string>()
  for (const { source, replicas = '' } of operations) {
    if (replicas === '') continue
    for (const key of keysOf(source.principal, [source])) seen.set(key, joinMarks(seen.get(key) ?? '', replicas))
  }
  const podsOf = Map.groupBy(inventory.pods ?? [], workloadKey)
  return ({ principal, workloads, marks, firstSeen, lastSeen }) => {
    const names = workloads.flatMap((one) => [
      one,
      ...index.behind(one).map((known) => ({ ...one, workload: known.name })),
    ])
    const keys = keysOf(principal, names)
    const pods = keys
      .flatMap((key) => podsOf.get(key) ?? [])
      .filter((pod) => workloads.some(({ cluster }) => sameCluster(cluster, pod.cluster)))
      .filter((pod) => Date.parse(pod.since) <= Date.parse(lastSeen) && Date.parse(pod.until) >= Date.parse(firstSeen))
    const declared = unite(pods.map((pod) => pod.marks))
    // One that is not declared says that others may not be, either.
    const isComplete = pods.length > 0 && countMarks(marksWithout(marks, declared)) === 0
    const known = isComplete ? declared : unite([declared, ...keys.map((key) => seen.get(key) ?? '')])
    const of = countMarks(known)
    return of === 0 ? undefined : { distinct: countMarks(marks), of, images: imagesOf(pods, marks) }
  }
}

type Named = Pick<CallerWorkload, 'namespace' | 'workload'>

const workloadKey = ({ namespace, workload }: Named) => JSON.stringify([namespace, workload])

/** By what a caller's requests are told to be of one; what it has no name for tells nothing. */
function keysOf(principal: string, workloads: readonly Named[]): string[] {
  const named = workloads.filter(({ workload }) => workload !== '')
  return [...new Set([...(principal === '' ? [] : [principal]), ...named.map(workloadKey)])]
}

const unite = (all: readonly string[]) => all.reduce(joinMarks, '')

/** The images of the Pods that marks are of; a bit that Pods of several images share tells of none. */
function imagesOf(pods: readonly Pod[], marks: string): string[] {
  const byImage = Map.groupBy(pods, ({ image }) => image)
  const bits = [...byImage].map(([image, own]) => ({ image, own: unite(own.map((pod) => pod.marks)) }))
  const told = bits.filter(({ image, own }) => {
    const others = unite(bits.filter((other) => other.image !== image).map((other) => other.own))
    return image !== '' && countMarks(commonMarks(marks, marksWithout(own, others))) > 0
  })
  return told
    .map(({ image }) => image)
    .sort()
    .slice(0, IMAGES_MAX)
}
