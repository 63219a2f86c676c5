import type { ObservedOperation } from '../../services/model/operation.ts'
import type { Callee } from '../../services/model/permission.ts'
import { joinUsers, NO_COUNTS, type OperationUsers } from '../../services/model/users.ts'
import type { CalleeOf } from '../callees.ts'
import type { InventoryIndex } from '../inventory-index.ts'

/** One operation of a callee, whoever calls. */
export interface Entry {
  /** The callee as the graph has it. */
  id: string
  callee: Callee | null
  method: string
  path: string
  flags: ObservedOperation['pathFlags']
  port: number
  /** Of those who called from where users come in, and of all. */
  front: OperationUsers
  all: OperationUsers
  /** What came from where users come in. */
  fronts: ObservedOperation[]
  isTold: boolean
}

const NOBODY: OperationUsers = { without: NO_COUNTS, untold: NO_COUNTS, seen: [] }

/**
 * Operations by callee, and whom they carried. A caller to which users come itself stands behind another operation, at which they can be
 * asked; who is left is where users come in: a gateway, a browser's address.
 */
export function entriesOf(
  operations: readonly ObservedOperation[],
  calleeOf: CalleeOf,
  index: InventoryIndex,
): Entry[] {
  const carriers = new Set(operations.filter(carriesUsers).map(({ destination }) => destination.id))
  const entries = new Map<string, Entry>()
  for (const operation of operations) {
    const { destination, method, path, pathFlags: flags, users } = operation
    const port = index.workloadPort(operation)
    const key = JSON.stringify([destination.id, destination.cluster, method, path, port])
    const callee = calleeOf(operation)
    const known = entries.get(key) ?? {
      ...{ id: destination.id, callee: callee.ok ? callee.callee : null, method, path, flags, port },
      ...{ front: NOBODY, all: NOBODY, fronts: [], isTold: false },
    }
    entries.set(key, known)
    if (!users) continue
    known.isTold = true
    known.all = joinUsers(known.all, users)
    if (carriers.has(operation.source.id)) continue
    known.front = joinUsers(known.front, users)
    known.fronts.push(operation)
  }
  return [...entries.values()]
}

function carriesUsers({ users }: ObservedOperation): boolean {
  return users?.seen.some(({ requests }) => requests > 0) ?? false
}

export function nameOf({ id, method, path }: Pick<Entry, 'id' | 'method' | 'path'>): string {
  return `${id} ${method} ${path}`
}
