import { OverloadedError } from '../../model/overloaded.ts'
import { SHED_ABOVE, type Signal } from './quota.ts'

/** Most bytes of telemetry in memory: requests that are being read, unpacked, or wait to be written to the spool. */
export const WAITING_BYTES_MAX = 192 << 20
/**
 * One sender holds at most so many times what is left free (Choudhury and Hahne, "Dynamic queue length thresholds", 1998): alone
 * four fifths of the budget, and however many hold all that they can, a fifth of what they leave is still there for the next.
 */
const SHARE_OF_FREE = 4
/** Memory is free again as soon as a chunk is written to the spool. */
const RETRY_MEMORY_MS = 1000

/** The part of the budget that one request holds; grows with what arrives, and is given back once. */
export interface Hold {
  /** @throws OverloadedError `memory` when the budget has no room for so many bytes of this kind, or of this sender */
  grow(bytes: number): void
  /** Gives back some of it. */
  shrink(bytes: number): void
  release(): void
}

export interface Budget {
  hold(sender: string, signal: Signal): Hold
  readonly bytes: number
}

/**
 * A bound on memory that requests draw on while their bytes come in, so that many slow or large ones cannot pass it, and those of
 * one sender leave room for the others.
 */
export function createBudget(bytesMax = WAITING_BYTES_MAX): Budget {
  let total = 0
  const bySender = new Map<string, number>()
  const held = (sender: string) => bySender.get(sender) ?? 0
  const change = (sender: string, bytes: number) => {
    total += bytes
    const all = held(sender) + bytes
    if (all > 0) bySender.set(sender, all)
    else bySender.delete(sender)
  }
  return {
    hold: (sender, signal) => {
      const most = bytesMax * SHED_ABOVE[signal]
      let own = 0
      return {
        grow: (bytes) => {
          if (held(sender) + bytes > SHARE_OF_FREE * (most - total - bytes))
            throw new OverloadedError(
              'memory',
              `${total} bytes of telemetry wait to be stored, ${held(sender)} of this sender, which is all that there is room for`,
              RETRY_MEMORY_MS,
            )
          change(sender, bytes)
          own += bytes
        },
        shrink: (bytes) => {
          const given = Math.min(bytes, own)
          change(sender, -given)
          own -= given
        },
        release: () => {
          change(sender, -own)
          own = 0
        },
      }
    },
    get bytes() {
      return total
    },
  }
}
