import type { RiskReading, RiskTerm } from '../../model/risk.ts'
import type { RiskDay } from '../../store/queries/risk-days.ts'
import type { Judged } from './score.ts'

const HALF_LIFE_MS = 24 * 3_600_000
/** Days whose evidence is still counted: of what is older less than a thousandth is left. */
export const DAYS_COUNTED = 10
/** Terms that are kept of a day; the others are kept as their sum. */
const TERMS_MAX = 32

/** What is left at a time of evidence that was last seen at another; none is more than it was. */
const left = (lastMs: number, atMs: number) => 2 ** (-Math.max(0, atMs - lastMs) / HALF_LIFE_MS)

/** What is remembered of a day. */
type Remembered = Pick<RiskDay, 'whole' | 'added' | 'last_ms' | 'terms'>

/**
 * Risk at a time: what is left of each day's evidence. A day on which an entity was itself takes nothing from what is held
 * against it on another: one is not the more trusted tomorrow for having been usual today.
 * @param vouchedMs what was last seen before it counts no more
 */
export function riskAt(days: readonly Remembered[], reading: RiskReading, atMs: number, vouchedMs: number): number {
  return days.reduce((sum, day) => {
    const counts = day.last_ms > vouchedMs && day[reading] > 0
    return counts ? sum + day[reading] * left(day.last_ms, atMs) : sum
  }, 0)
}

/** The terms of `riskAt`, which add up to it, the heaviest first; alike ones of several days are one. */
export function termsAt(
  days: readonly Remembered[],
  reading: RiskReading,
  atMs: number,
  vouchedMs: number,
): RiskTerm[] {
  const found = new Map<string, RiskTerm>()
  for (const day of days) {
    if (day.last_ms <= vouchedMs || day[reading] <= 0) continue
    const weight = left(day.last_ms, atMs)
    for (const term of (JSON.parse(day.terms) as Record<RiskReading, RiskTerm[]>)[reading]) {
      const key = JSON.stringify([term.dimension, term.value])
      const held = found.get(key)
      const nats = term.nats * weight
      found.set(key, held ? { ...held, times: held.times + term.times, nats: held.nats + nats } : { ...term, nats })
    }
  }
  return [...found.values()].sort((a, b) => Math.abs(b.nats) - Math.abs(a.nats))
}

/** Terms as they are kept: the heaviest, and the sum of the others as one, so that they add up. */
export function keptTerms({ whole, added }: Judged): string {
  return JSON.stringify({ whole: few(whole.terms), added: few(added.terms) })
}

function few(terms: readonly RiskTerm[]): RiskTerm[] {
  if (terms.length <= TERMS_MAX) return [...terms]
  const sorted = terms.toSorted((a, b) => Math.abs(b.nats) - Math.abs(a.nats))
  const others = sorted.slice(TERMS_MAX - 1)
  const rest: RiskTerm = {
    ...{ dimension: 'other', value: 'all that says less', seen_by_entity: 0, seen_by_peers: null },
    times: others.reduce((sum, { times }) => sum + times, 0),
    nats: others.reduce((sum, { nats }) => sum + nats, 0),
  }
  return [...sorted.slice(0, TERMS_MAX - 1), rest]
}
