import { type DirtyTarget, dirtyTargets, markCounted, writeMetricHours } from '../../store/queries/metrics.ts'
import type { Store } from '../../store/store.ts'

/** Target hours that are looked at in one round, and targets that one statement counts: bounds on memory. */
const DIRTY_MAX = 20_000
const TARGETS_MAX = 200

/**
 * Counts the requests of every target's hours whose samples changed since they were last counted, from the first changed hour on:
 * a late sample changes what lies between its neighbours. Hours are written anew, so samples that are late, repeated or
 * reordered, and a job that was killed, all come to the same counts.
 * @returns how many target hours were counted
 */
export async function countMetrics(store: Store): Promise<number> {
  let counted = 0
  for (;;) {
    const dirty = await dirtyTargets(store.jobs, DIRTY_MAX)
    for (const { sender, since, targets } of statementsOf(dirty))
      await writeMetricHours(store.jobs, sender, targets, since)
    await markCounted(store.jobs, dirty)
    counted += dirty.length
    if (dirty.length < DIRTY_MAX) return counted
  }
}

interface Counting {
  sender: string
  since: number
  targets: string[]
}

/**
 * One statement for the targets of a sender that changed since the same hour. A target whose changed hours are many is counted
 * once for each stretch that one statement reaches.
 */
export function statementsOf(dirty: readonly DirtyTarget[], reachHours = 24, targetsMax = TARGETS_MAX): Counting[] {
  const found: Counting[] = []
  const open = new Map<string, Counting>()
  const reached = new Map<string, number>()
  for (const { sender, target, hour } of dirty.toSorted((a, b) => a.hour - b.hour)) {
    const id = JSON.stringify([sender, target])
    if (hour <= (reached.get(id) ?? -1)) continue
    reached.set(id, hour + (reachHours - 1) * 3600)
    const key = JSON.stringify([sender, hour])
    const counting = open.get(key)
    if (counting && counting.targets.length < targetsMax) {
      counting.targets.push(target)
      continue
    }
    const next = { sender, since: hour, targets: [target] }
    open.set(key, next)
    found.push(next)
  }
  return found
}
