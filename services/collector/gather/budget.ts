import { OverloadedError } from '../../model/overloaded.ts'
import { SHED_ABOVE, type Signal } from './quota.ts'

/** Most bytes of telemetry in memory: requests that are being read, unpacked, or wait to be written to the spool. */
export const WAITING_BYTES_MAX = 192 << 20
/** Memory is free again as soon as a chunk is written to the spool. */
const RETRY_MEMORY_MS = 1000

/** The part of the budget that one request holds; grows with what arrives, and is given back once. */
export interface Hold {
  /** @throws OverloadedError `memory` when the budget has no room for so many bytes of this kind */
  grow(bytes: number): void
  /** Gives back some of it. */
  shrink(bytes: number): void
  release(): void
}

export interface Budget {
  hold(signal: Signal): Hold
  readonly bytes: number
}

/** A bound on memory that requests draw on while their bytes come in, so that many slow or large ones cannot pass it. */
export function createBudget(bytesMax = WAITING_BYTES_MAX): Budget {
  let total = 0
  return {
    hold: (signal) => {
      const most = bytesMax * SHED_ABOVE[signal]
      let own = 0
      return {
        grow: (bytes) => {
          if (total + bytes > most)
            throw new OverloadedError(
              'memory',
              `${total} bytes of telemetry wait to be stored, which is all that there is room for`,
              RETRY_MEMORY_MS,
            )
          total += bytes
          own += bytes
        },
        shrink: (bytes) => {
          const given = Math.min(bytes, own)
          total -= given
          own -= given
        },
        release: () => {
          total -= own
          own = 0
        },
      }
    },
    get bytes() {
      return total
    },
  }
}
