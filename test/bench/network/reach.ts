import { format } from '../bench.ts'

/** What a load came to, and what it took. */
export interface Reached {
  perSecond: number
  /** What is asked for. */
  asked: number
  /** Processor time for 1,000 records, milliseconds: sender and service together, for they share the machine. */
  per1000Ms: number
  processors: number
  /** What each part of the way costs for 1,000 records, milliseconds, each alone; empty where it is not measured. */
  parts: [what: string, milliseconds: number][]
}

/** Parts that are named. */
const LARGEST = 4

/**
 * Why a figure is not reached and what would reach it, by what the same run measured: either processors waited, or each record costs
 * more than the processors have for it.
 * @returns undefined where it is reached
 */
export function whatIsMissing({ perSecond, asked, per1000Ms, processors, parts }: Reached): string | undefined {
  if (perSecond >= asked) return undefined
  const busy = (perSecond * per1000Ms) / 1e6
  const allowedMs = (processors * 1e6) / asked
  const isWaiting = per1000Ms <= allowedMs
  const why = isWaiting
    ? `that would do for ${format((processors * 1e6) / per1000Ms)}/s if no processor waited`
    : `at ${format(asked)}/s there are ${format(allowedMs)} ms, so ${format(per1000Ms - allowedMs)} ms have to go`
  const largest = [...parts].sort(([, a], [, b]) => b - a).slice(0, LARGEST)
  const where = largest.map(([what, milliseconds]) => `${what} ${format(milliseconds)} ms`).join('; ')
  return `not reached: 1,000 take ${format(per1000Ms)} ms, ${format(busy)} of ${processors} processors were busy; ${why}${where && `. The largest parts, alone: ${where}`}`
}
