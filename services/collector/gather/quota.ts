/**
 * Who may send how much, whose turn it is, and what is let go first: pure, with the time given. What memory and disk allow in
 * all is `budget.ts`.
 */

/** What a sender may send on average, in bytes as they are after unpacking. Some 240,000 access log lines a second. */
export const QUOTA_BYTES_PER_SECOND = 256 << 20
/** How many seconds' worth may come at once after a silence. */
const BURST_SECONDS = 2
/** A sender is never told to stay away for longer: it would give up, and its data with it. */
const WAIT_MS_MAX = 60_000

export interface Quota {
  /** How long this sender has to wait before its next request is read: 0 when it may send now. */
  waitMs(sender: string, nowMs: number): number
  /** Counts what a sender sent. The last request may overdraw; the next one then waits until the debt is paid. */
  charge(sender: string, bytes: number, nowMs: number): void
}

/**
 * A bucket for each sender that fills with `bytesPerSecond`. A request is let in while anything is left, and is charged with
 * what it turned out to be: its size is not known before it is unpacked. In any time t a sender thus gets at most
 * burst + rate · t, and what was under way when the bucket ran dry.
 */
export function createQuota(bytesPerSecond = QUOTA_BYTES_PER_SECOND): Quota {
  const burst = bytesPerSecond * BURST_SECONDS
  const buckets = new Map<string, { level: number; atMs: number }>()
  const levelOf = (sender: string, nowMs: number): number => {
    const bucket = buckets.get(sender)
    if (!bucket) return burst
    return Math.min(burst, bucket.level + (Math.max(0, nowMs - bucket.atMs) / 1000) * bytesPerSecond)
  }
  return {
    waitMs: (sender, nowMs) => {
      const level = levelOf(sender, nowMs)
      if (level > 0) return 0
      // One byte more than the debt: at exactly nothing the sender still waits.
      return Math.min(WAIT_MS_MAX, Math.ceil(((1 - level) / bytesPerSecond) * 1000))
    },
    // Only registered senders are charged, so their number bounds the buckets.
    charge: (sender, bytes, nowMs) => {
      const level = levelOf(sender, nowMs)
      const debtMax = (WAIT_MS_MAX / 1000) * bytesPerSecond
      buckets.set(sender, { level: Math.max(level - bytes, -debtMax), atMs: nowMs })
    },
  }
}

/** Kinds of telemetry, by what their loss costs: an access log line is the evidence itself, a metric only a check on it. */
export type Signal = 'metrics' | 'traces' | 'logs'

/** How full the memory for what waits may be before this kind is refused: metrics first, then traces, logs last. */
export const SHED_ABOVE: Record<Signal, number> = { metrics: 0.5, traces: 0.75, logs: 1 }

/** Items that wait, served by turns: however much one sender has waiting, every other one is next after one of its items. */
export interface Turns<T> {
  /** Behind this sender's other items; `first` puts it before them: it was taken out and came back. */
  add(sender: string, item: T, first?: boolean): void
  /** Takes the next item that is ready, of the sender that waits longest for its turn. */
  next(isReady: (item: T) => boolean): T | undefined
  items(): T[]
  readonly size: number
}

export function createTurns<T>(): Turns<T> {
  // A map keeps the order in which keys came: whoever was served goes to its end.
  const waiting = new Map<string, T[]>()
  return {
    add: (sender, item, first = false) => {
      const items = waiting.get(sender) ?? []
      if (first) items.unshift(item)
      else items.push(item)
      waiting.set(sender, items)
    },
    next: (isReady) => {
      for (const [sender, items] of waiting) {
        const index = items.findIndex(isReady)
        if (index === -1) continue
        const [item] = items.splice(index, 1)
        waiting.delete(sender)
        if (items.length > 0) waiting.set(sender, items)
        return item
      }
      return undefined
    },
    items: () => [...waiting.values()].flat(),
    get size() {
      let size = 0
      for (const items of waiting.values()) size += items.length
      return size
    },
  }
}
