import { spawnSync } from 'node:child_process'
import { replay } from '../../../policy-gen/replay/replay.ts'
import type { Inventory } from '../../../services/model/inventory.ts'
import type { ObservedOperation, Party } from '../../../services/model/operation.ts'
import { WINDOW } from '../support.ts'

/** One of the items, by a seeded random number. */
export const pickFrom =
  (random: () => number) =>
  <T>(items: readonly T[]): T =>
    items[Math.floor(random() * items.length)] as T

/** Connections among all pods, about half to where somebody was seen to connect; their times tell them apart. */
export function connections(operations: readonly ObservedOperation[], random: () => number, count: number) {
  const pick = pickFrom(random)
  return Array.from({ length: count }, (_, at) => {
    const [one, other] = [pick(operations), pick(operations)]
    const source = pick([one.source, other.source, { ...other.destination, evidence: 'verified' as const }])
    const workloadPort = pick([one.workloadPort, one.workloadPort, 8080, 9090, 443])
    return { ...one, source, workloadPort, requests: 1, denied: 0, firstSeen: `#${at}` }
  })
}

/** A party as an engine is told of it: its namespace and its labels. */
export const podIn =
  ({ workloads }: Inventory) =>
  ({ namespace, workload }: Pick<Party, 'namespace' | 'workload'>) => ({
    namespace,
    labels: workloads.find((one) => one.namespace === namespace && one.name === workload)?.labels ?? {},
  })

/** What an engine, given this as JSON, says of each connection. */
export function decidedBy(program: string | null | undefined, input: object): boolean[] {
  const done = spawnSync(program ?? '', { input: JSON.stringify(input), encoding: 'utf8', maxBuffer: 1 << 28 })
  if (done.status !== 0) throw new Error(done.stderr)
  return JSON.parse(done.stdout) as boolean[]
}

/** What replay says of each. */
export function replayed(content: string, calls: readonly ObservedOperation[], inventory: Inventory) {
  const result = replay([{ path: 'a.yaml', content }], calls, { inventory, window: WINDOW })
  const of = (list: typeof result.uncertain) => new Set(list.map(({ first_seen }) => first_seen))
  const [denied, uncertain] = [of(result.newly_denied), of(result.uncertain)]
  return calls.map(({ firstSeen }) => (uncertain.has(firstSeen) ? 'uncertain' : !denied.has(firstSeen)))
}
