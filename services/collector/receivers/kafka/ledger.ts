import type { Store } from '../../../store/store.ts'

/**
 * How far partitions were taken, and how far the store has them without a gap. All receivers of a store in this process
 * share one: a partition that moves from one to another goes on where it was, and whoever has it tells Kafka of it.
 */
export interface Ledger {
  /** Up to where messages were taken: gathered, on their way, or stored. */
  taken(key: string): number | undefined
  /** Up to where the store has everything. */
  stored(key: string): number | undefined
  /** Names of positions that begin so. */
  keys(prefix: string): string[]
  /** Reading goes on at `next`, or behind what was taken already. @returns where */
  begin(key: string, next: number): number
  /** The store says that it has everything before `next`. */
  found(key: string, next: number): void
  /** Messages of a partition, behind those that were taken before. */
  take(key: string, first: number, next: number): Taking
}

export interface Taking {
  /** They are in the store. */
  stored(): void
  /** They came neither to the store nor to its spool: they are to be read again, and all behind them. */
  lost(): void
}

interface Entry {
  taken: number
  stored: number | undefined
  /** What was taken and is not known as stored, in order. Chunks may be stored in another one. */
  open: { next: number; isStored: boolean }[]
}

export function createLedger(): Ledger {
  const entries = new Map<string, Entry>()
  const entryOf = (key: string) => {
    const entry = entries.get(key) ?? { taken: 0, stored: undefined, open: [] }
    entries.set(key, entry)
    return entry
  }
  return {
    taken: (key) => entries.get(key)?.taken,
    stored: (key) => entries.get(key)?.stored,
    keys: (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)),
    begin: (key, next) => {
      const entry = entryOf(key)
      entry.taken = Math.max(entry.taken, next)
      return entry.taken
    },
    found: (key, next) => {
      const entry = entryOf(key)
      entry.taken = Math.max(entry.taken, next)
      // While messages are on their way, the position in the store may be that of a chunk behind them.
      if (entry.open.length === 0) entry.stored = Math.max(entry.stored ?? 0, next)
    },
    take: (key, first, next) => {
      const entry = entryOf(key)
      const mine = { next, isStored: false }
      entry.taken = next
      entry.open.push(mine)
      return {
        stored: () => {
          mine.isStored = true
          for (let head = entry.open[0]; head?.isStored; head = entry.open[0]) {
            entry.stored = head.next
            entry.open.shift()
          }
        },
        lost: () => {
          entry.taken = Math.min(entry.taken, first)
          entry.open = entry.open.filter((other) => other !== mine)
        },
      }
    },
  }
}

const ledgers = new WeakMap<Store, Ledger>()

/** The ledger of this store's receivers. */
export function ledgerOf(store: Store): Ledger {
  const ledger = ledgers.get(store) ?? createLedger()
  ledgers.set(store, ledger)
  return ledger
}
